"""Ranks over millions of packed rows that stay where they are: only counts of steps cross the shuffle, as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from visitgrain.arrow.shuffle import as_binary, exchanged, packed, packed_by, tables_in, unpacked

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Integers = NDArray[np.int64]
Steps = Callable[[pa.Table], Integers]  # per row of a packed table: what is ranked, in whole numbers


class Ranks(NamedTuple):
    """Steps that occur in a month, ascending, and the rank of each: 1 + how many rows are steps higher."""

    steps: Integers
    ranks: Integers

    def of(self, steps: Integers) -> Integers:
        """Ranks of steps that occur."""
        return self.ranks[np.searchsorted(self.steps, steps)]


def ranks_of(rows: DataFrame, steps: Steps, *, buckets: int = 1) -> dict[date, Ranks]:
    """By month, for tables with a column `month` packed in the column `rows`. Equals share a rank.

    Steps should be as fine as ranks are to tell apart, and no finer: each one that occurs comes to the driver.
    `rows` is computed once more: persist it.
    """
    counts = packed_by(rows.select("rows"), partial(_counted, steps=steps, buckets=buckets))
    summed = exchanged(counts, buckets).mapInArrow(_summed, "rows binary").toArrow()
    return ranks_by_month(tables_in(summed.to_batches()))


def ranks_by_month(counts: Iterable[pa.Table]) -> dict[date, Ranks]:
    """From rows of month, step and n, each month and step once."""
    found = pl.concat([_NONE, *(pl.DataFrame(pl.from_arrow(one)) for one in counts)])
    return {month: _ranks(own.sort("step")) for (month,), own in found.group_by("month")}


_NONE = pl.DataFrame(schema={"month": pl.Date, "step": pl.Int64, "n": pl.Int64})


def _counted(batches: Iterable[pa.RecordBatch], *, steps: Steps, buckets: int) -> Iterator[pa.RecordBatch]:
    tables = [
        pl.DataFrame({"month": pl.from_arrow(table["month"]), "step": steps(table), "n": np.ones(len(table), np.int64)})
        for table in tables_in(batches)
    ]
    if tables:
        yield from packed([_sums(pl.concat(tables)).to_arrow()], key="step", buckets=buckets)


def _summed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    found = unpacked(batches)
    if found is not None:
        summed = _sums(pl.DataFrame(pl.from_arrow(found))).to_arrow()
        yield pa.RecordBatch.from_arrays([as_binary([summed])], ["rows"])


def _sums(counts: pl.DataFrame) -> pl.DataFrame:
    return counts.group_by("month", "step").agg(pl.col("n").sum())


def _ranks(own: pl.DataFrame) -> Ranks:
    n = own["n"].to_numpy()
    return Ranks(own["step"].to_numpy(), 1 + n.sum() - n.cumsum())
