"""Ranks from counts, without Spark: what tasks of both sides of the shuffle do, and what the driver makes of it."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from visitgrain.arrow.ranks import Ranks, _counted, _summed, ranks_by_month
from visitgrain.arrow.shuffle import as_binary, tables_in

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


def held(*rows: tuple[date, int]) -> pa.RecordBatch:
    table = pa.table({"month": pa.array([month for month, _ in rows], pa.date32()), "score": [one for _, one in rows]})
    return pa.RecordBatch.from_arrays([as_binary([table])], ["rows"])


def ranks(tasks: list[list[pa.RecordBatch]], buckets: int) -> dict[date, Ranks]:
    sent = [batch for task in tasks for batch in _counted(task, steps=lambda t: t["score"].to_numpy(), buckets=buckets)]
    by_bucket: dict[int, list[pa.RecordBatch]] = {bucket: [] for bucket in range(buckets)}
    for batch in sent:
        for place, bucket in enumerate(batch["bucket"].to_pylist()):
            by_bucket[bucket].append(batch.slice(place, 1))
    return ranks_by_month(tables_in(out for found in by_bucket.values() for out in _summed(found)))


@pytest.mark.parametrize("buckets", [1, 3])
def test_a_rank_is_one_more_than_how_many_are_higher_in_the_month(buckets):
    found = ranks(
        [[held((MARCH, 9), (MARCH, 9), (MARCH, 7))], [held((MARCH, 0), (APRIL, 5)), held((MARCH, 7))]], buckets
    )
    assert found[MARCH].of(np.array([9, 7, 0])).tolist() == [1, 3, 5]  # two nines, two sevens, one zero
    assert found[APRIL].of(np.array([5])).tolist() == [1]


def test_ranks_of_any_rows_are_those_of_a_sort():
    chance = np.random.default_rng(5)
    scores = [(MARCH, int(one)) for one in chance.integers(-3, 40, 500)]
    found = ranks([[held(*scores[:123])], [held(*scores[123:124]), held(*scores[124:])]], 4)[MARCH]
    steps = pl.Series([one for _, one in scores])
    expected = steps.rank("min", descending=True).cast(pl.Int64).to_list()
    assert found.of(steps.to_numpy()).tolist() == expected


def test_nobody_has_no_rank():
    assert ranks([[]], 2) == {}
