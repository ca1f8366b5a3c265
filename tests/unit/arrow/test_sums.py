"""Sums by key over Arrow batches, against a dictionary; and doubles as two whole numbers, against fractions."""

from __future__ import annotations

from collections import Counter
from functools import partial

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from pyspark.sql.types import LongType, StringType, StructField, StructType

from visitgrain.arrow import sums
from visitgrain.arrow.sums import _by_key, _sums

SCHEMA = StructType([StructField("k", StringType()), StructField("a", LongType()), StructField("b", LongType())])
ROWS = st.lists(st.tuples(st.sampled_from([None, "x", "y"]), st.integers(-(2**40), 2**40)), max_size=40)


def added(batches: list[list[tuple]], group) -> dict:
    frames = [
        pa.record_batch({"k": pa.array([k for k, _ in b], pa.string()), "a": pa.array([a for _, a in b], pa.int64())})
        for b in batches
    ]
    found = pa.Table.from_batches(list(_sums(iter(frames), group, ["k"], SCHEMA)) or frames[:0], _target())
    assert len(set(found["k"].to_pylist())) == found.num_rows
    return {row["k"]: (row["a"], row["b"]) for row in found.to_pylist()}


def _target() -> pa.Schema:
    return pa.schema([("k", pa.string()), ("a", pa.int64()), ("b", pa.int64())])


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@settings(deadline=None)
@given(batches=st.lists(ROWS, max_size=6))
def test_sums_are_those_of_a_dictionary_however_rows_are_cut(chunk: int, batches: list[list[tuple]]) -> None:
    want: Counter = Counter()
    for k, a in (row for batch in batches for row in batch):
        want[k] += a
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sums, "CHUNK", chunk)
        found = added(batches, partial(_by_key, keys=["k"], columns=["a"]))
    assert found == {k: (want[k], 0) for k in want}  # nothing is ever added to b


def test_what_a_grouping_leaves_out_is_zero() -> None:
    def group(rows: pl.DataFrame):
        yield rows.group_by("k").agg(pl.col("a").sum())
        yield rows.filter(pl.col("a") > 1).group_by("k").agg(pl.col("a").sum().alias("b"))

    assert added([[("x", 1), ("x", 2), ("y", 1)]], group) == {"x": (3, 2), "y": (1, 0)}
