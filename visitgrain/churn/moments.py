"""Counts, sums and sums of squares of many columns by group, column by column in the workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, functions as F

MOMENTS = "month date, group string, feature string, n bigint, total double, squares double"


def moments_of(rows: DataFrame, numbers: Sequence[str], attributes: Sequence[str]) -> DataFrame:
    """`rows` have month and group. One row per month, group and number; per attribute (`n` = rows with any value of
    it), and per value of one as attribute=value (`total` = rows with that value)."""
    function = partial(_parts, numbers=list(numbers), attributes=list(attributes))
    parts = rows.select("month", "group", *numbers, *attributes).mapInArrow(function, MOMENTS)
    return parts.groupBy("month", "group", "feature").agg(*(F.sum(c).alias(c) for c in ("n", "total", "squares")))


def _parts(
    batches: Iterable[pa.RecordBatch], *, numbers: Sequence[str], attributes: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch]))).with_columns(pl.col(numbers).fill_nan(None))
        for (month, group), own in rows.group_by("month", "group"):
            known = [own.select(pl.col(numbers).count()), own.select(pl.col(numbers).sum())]
            known.append(own.select((pl.col(numbers) ** 2).sum()))
            n, total, squares = (list(frame.row(0)) for frame in known)
            found = {"feature": list(numbers), "n": n, "total": total, "squares": squares}
            for name in attributes:
                told = own[name].drop_nulls().value_counts(name="times").sort(name)
                values, times = told[name].to_list(), [float(count) for count in told["times"].to_list()]
                found["feature"] += [name, *(f"{name}={value}" for value in values)]
                found["n"] += [int(sum(times)), *(0 for _ in values)]
                found["total"] += [0.0, *times]
                found["squares"] += [0.0, *times]
            size = len(found["feature"])
            fixed = {"month": pa.array([month] * size, pa.date32()), "group": pa.array([group] * size, pa.string())}
            typed = {"feature": pa.string(), "n": pa.int64(), "total": pa.float64(), "squares": pa.float64()}
            columns = fixed | {name: pa.array(found[name], kind) for name, kind in typed.items()}
            yield pa.RecordBatch.from_pydict(columns)
