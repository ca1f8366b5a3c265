"""`when` and `value` of measures over the columns of a frame."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
)

from visitgrain.catalogue.expression_tree import Scalar
from visitgrain.catalogue.measures import expression
from visitgrain.expressions.compile import compiled
from visitgrain.expressions.typed import Scope, Sort, Typed

SORTS: dict[type[DataType], Sort] = {
    StringType: Sort.TEXT,
    IntegerType: Sort.INT,
    LongType: Sort.INT,
    DoubleType: Sort.FLOAT,
    BooleanType: Sort.BOOL,
    DateType: Sort.DATE,
    TimestampType: Sort.TIME,
}
FIRST_KEYS = 64  # a first row is remembered as microseconds * 64 + place of its key, from 1


class Conditions:
    """Compiles the expressions of measures. Raises ExpressionError: unknown column, wrong kind."""

    def __init__(self, rows: DataFrame, sets: Mapping[str, tuple[Scalar, ...]], zone: str) -> None:
        fields = [field for field in rows.schema if type(field.dataType) in SORTS]
        columns = {field.name: Typed(F.col(field.name), SORTS[type(field.dataType)]) for field in fields}
        self._scope = Scope(columns, zone, _no_hashing, _no_hashing)
        self._sets = sets

    def value(self, text: str) -> Column:
        return compiled(expression(text, self._sets), self._scope).column


def _no_hashing(_: Column) -> Column:
    raise AssertionError("measures hash nothing")
