"""Means that come out the same to the last bit, however the rows are cut and ordered.

A sum of doubles depends on the order of its terms. Here the terms become decimals first.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, functions as F
from pyspark.sql.types import DataType, DoubleType, FloatType

EXACT = "decimal(38,12)"  # what doubles are added as


def exact_mean(column: Column) -> Column:
    """Mean over the group with a resolution of six decimals; null where all are null."""
    return F.avg(column.cast("decimal(20,6)")).cast("double")


def exact_sum(text: str, kind: DataType) -> str:
    """Sum of a SQL expression of type `kind`: of whole numbers as bigint, of others as double, added up as decimals."""
    if isinstance(kind, DoubleType | FloatType):
        return f"cast(sum(cast({text} as {EXACT})) as double)"
    return f"sum({text})"


def exact_sums(frame: DataFrame, columns: Iterable[str]) -> list[str]:
    """`exact_sum` of columns of `frame`, each under its own name."""
    types = {field.name: field.dataType for field in frame.schema}
    return [f"{exact_sum(name, types[name])} {name}" for name in columns]
