"""Sums and means that come out the same to the last bit, however the rows are cut and ordered.

A sum of doubles depends on the order of its terms. Here the terms become whole numbers, or decimals, first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame, functions as F
from pyspark.sql.types import DataType, DoubleType, FloatType

EXACT = "decimal(38,12)"  # what doubles are added as in narrow aggregations
UNIT = 1_000_000_000_000  # of the fraction of a double, in wide ones


def exact_mean(column: Column) -> Column:
    """Mean over the group with a resolution of six decimals; null where all are null."""
    return F.avg(column.cast("decimal(20,6)")).cast("double")


def exact_sums(frame: DataFrame, columns: Iterable[str]) -> list[str]:
    """Sums of columns of `frame`, each under its own name: of doubles added up as decimals."""
    doubles = {field.name for field in frame.schema if isinstance(field.dataType, DoubleType | FloatType)}
    return [f"cast(sum(cast({n} as {EXACT})) as double) {n}" if n in doubles else f"sum({n}) {n}" for n in columns]


def parts(name: str, kind: DataType) -> list[str]:
    """A column of numbers as one of bigints, or as two: whole part and fraction, in units of 1e-12. Null is 0."""
    if not isinstance(kind, DoubleType | FloatType):
        return [f"coalesce(cast({name} as bigint), 0L) {name}"]
    fraction = f"cast(round(({name} - floor({name})) * {float(UNIT)!r}D) as bigint)"
    return [f"coalesce(cast(floor({name}) as bigint), 0L) {name}", f"coalesce({fraction}, 0L) {name}__fraction"]


def names_of_parts(name: str, kind: DataType) -> Sequence[str]:
    """The columns that `parts` makes."""
    return (name, f"{name}__fraction") if isinstance(kind, DoubleType | FloatType) else (name,)


def whole(name: str, kind: DataType) -> str:
    """The number again, from sums of its parts."""
    if not isinstance(kind, DoubleType | FloatType):
        return name
    units = f"{name} + {name}__fraction div {UNIT}"
    return f"cast({units} as double) + ({name}__fraction % {UNIT}) / {float(UNIT)!r}D {name}"
