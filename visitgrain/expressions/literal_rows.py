"""Literal rows for tables whose cells must all be there, also when no data are."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, functions as F


def literal_rows(anchor: DataFrame, rows: Iterable[tuple[object, ...]], *fields: tuple[str, str]) -> DataFrame:
    """`rows` as a frame with the (name, type) `fields`. `anchor` is any frame: it lends its session and is not read."""
    structs = [_struct(row, fields) for row in rows]
    # A global aggregate over nothing is the one relation that is sure to have exactly one row.
    one = anchor.limit(0).agg(F.count(F.lit(1)).alias("n"))
    return one.select(F.explode(F.array(*structs)).alias("row")).select("row.*")


def _struct(row: tuple[object, ...], fields: tuple[tuple[str, str], ...]) -> Column:
    return F.struct(*[F.lit(value).cast(type_).alias(name) for value, (name, type_) in zip(row, fields, strict=True)])
