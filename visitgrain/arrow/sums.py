"""Sums of hundreds of whole-number columns by key, column by column in Arrow batches.

The JVM adds up a wide row value by value, in generated methods that are too long for its compiler (docs/adr/0014).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import LongType, StructField, StructType

CHUNK = 50_000  # rows that are worked on at a time
Grouping = Callable[[pl.DataFrame], Iterable[pl.DataFrame]]


def summed(rows: DataFrame, group: Grouping, keys: Sequence[StructField], columns: Sequence[str]) -> DataFrame:
    """One row per key and partition: sums of the bigint `columns` over what `group` makes of chunks of the partition.

    A frame of `group` may leave columns out: nothing is added to these.
    """
    schema = StructType([*keys, *(StructField(name, LongType()) for name in columns)])
    return rows.mapInArrow(partial(_sums, group=group, keys=[key.name for key in keys], schema=schema), schema)


def totals(rows: DataFrame, keys: Sequence[str], columns: Sequence[str]) -> DataFrame:
    """One row per key: sums of the bigint `columns` over all partitions; `rows` have nothing else. Null is a key."""
    group = partial(_by_key, keys=list(keys), columns=list(columns))
    return summed(rows.repartition(*keys), group, [rows.schema[key] for key in keys], columns)


def _by_key(rows: pl.DataFrame, keys: list[str], columns: list[str]) -> list[pl.DataFrame]:
    return [rows.group_by(keys).agg(pl.col(columns).sum())]


def _sums(
    batches: Iterator[pa.RecordBatch], group: Grouping, keys: Sequence[str], schema: StructType
) -> Iterator[pa.RecordBatch]:
    parts: list[pl.DataFrame] = []
    height, settled = 0, 0
    for chunk in _chunks(batches):
        made = list(group(chunk))
        parts += made
        height += sum(part.height for part in made)
        if height > 2 * max(settled, CHUNK):  # at most as many again as are known to be different
            parts = [_together(parts, keys)]
            height = settled = parts[0].height
    if parts:
        target = to_arrow_schema(schema, timezone="UTC")
        found = _together(parts, keys)
        missing = [pl.lit(0, pl.Int64).alias(name) for name in target.names if name not in found.columns]
        yield from found.with_columns(missing).select(target.names).to_arrow().cast(target).to_batches(10_000)


def _together(parts: Sequence[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    return pl.concat(parts, how="diagonal").group_by(keys).agg(pl.all().sum())


def _chunks(batches: Iterator[pa.RecordBatch]) -> Iterator[pl.DataFrame]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(found.num_rows for found in waiting) >= CHUNK:
            yield _frame(waiting)
            waiting = []
    if waiting:
        yield _frame(waiting)


def _frame(batches: Sequence[pa.RecordBatch]) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(pa.Table.from_batches(batches)))
