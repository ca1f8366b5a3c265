"""Sums over subscribers that come out the same to the last bit, however the rows are cut and ordered."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql.types import DoubleType, FloatType


def exact_sums(frame: DataFrame, columns: Iterable[str]) -> list[str]:
    """`sum(x) x` of columns of `frame`: of whole numbers as bigint, of others as double, added up as decimals."""
    types = {field.name: field.dataType for field in frame.schema}
    return [
        f"cast(sum(cast({name} as decimal(38,12))) as double) {name}"
        if isinstance(types[name], DoubleType | FloatType)
        else f"sum({name}) {name}"
        for name in columns
    ]
