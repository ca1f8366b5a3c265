"""Rows by month, column and bin of a reference, counted in the workers: only counts come to the driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, functions as F

from visitgrain.churn.drift import Reference

COUNTED = "month date, name string, bin int, n bigint"
TYPES = {"month": pa.date32(), "name": pa.string(), "bin": pa.int32(), "n": pa.int64()}
Counts = dict[str, NDArray[np.int64]]


def histograms(rows: DataFrame, references: Mapping[str, Reference]) -> dict[date, Counts]:
    """By month and column of doubles: counts in the order of `Reference.counts`, the last one of null and nan.

    Runs a Spark job. A month without rows is not in it.
    """
    parts = rows.select("month", *references).mapInArrow(partial(_counted, references=dict(references)), COUNTED)
    found: dict[date, Counts] = {}
    for row in parts.groupBy("month", "name", "bin").agg(F.sum("n").alias("n")).collect():
        found.setdefault(row.month, _none(references))[row["name"]][row.bin] = row.n
    return found


def _none(references: Mapping[str, Reference]) -> Counts:
    return {name: np.zeros(len(one.counts), dtype=np.int64) for name, one in references.items()}


def _counted(batches: Iterable[pa.RecordBatch], *, references: Mapping[str, Reference]) -> Iterator[pa.RecordBatch]:
    """One batch for all of the partition."""
    found: dict[date, Counts] = {}
    for batch in batches:
        rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
        for (month,), own in rows.group_by("month"):
            counts = found.setdefault(month, _none(references))
            for name, one in references.items():
                counts[name] += one.count(own[name].to_numpy())
    told = [
        {"month": month, "name": name, "bin": place, "n": int(n)}
        for month, counts in found.items()
        for name, bins in counts.items()
        for place, n in enumerate(bins)
        if n
    ]
    if told:
        yield pa.RecordBatch.from_pylist(told, pa.schema(TYPES))
