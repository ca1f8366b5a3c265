"""A Spark column with what is known of it: its sort, and where its conversion failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.expression_tree import ExpressionError


class Sort(StrEnum):
    """What can be done with a value. `json` is a nested column of the source, as JSON text."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOL = "bool"
    TIME = "timestamp"
    DATE = "date"
    JSON = "json"
    MAP = "map"
    NULL = "None"


NUMBERS = (Sort.INT, Sort.FLOAT, Sort.DECIMAL)
TEXTS = (Sort.TEXT, Sort.JSON)


@dataclass(frozen=True)
class Typed:
    """`failed` is true where a value was there but could not be converted; None = nothing can fail."""

    column: Column
    sort: Sort
    failed: Column | None = None

    def like(self, column: Column, sort: Sort | None = None) -> Typed:
        """Another value computed from this one alone."""
        return replace(self, column=column, sort=sort or self.sort)

    def converted(self, column: Column, sort: Sort) -> Typed:
        """A conversion of this one: null where it was not null = failed."""
        return Typed(column, sort, any_of([self.failed, self.column.isNotNull() & column.isNull()]))


@dataclass(frozen=True)
class Scope:
    """What an expression may read: the columns of the source, its zone, and the keyed hashes."""

    columns: Mapping[str, Typed]
    zone: str
    subscriber_ids: Callable[[Column], Column]
    device_ids: Callable[[Column], Column]


def any_of(conditions: Iterable[Column | None]) -> Column | None:
    """True where one of the conditions is; None when there is none."""
    present = [condition for condition in conditions if condition is not None]
    return reduce(lambda a, b: a | b, (F.coalesce(c, F.lit(False)) for c in present)) if present else None


def failures(*values: Typed) -> Column | None:
    return any_of(value.failed for value in values)


def need(value: Typed, sorts: Iterable[Sort], usage: str) -> Typed:
    """`value` when it is of one of `sorts` (or always missing); ExpressionError with a hint otherwise."""
    allowed = tuple(sorts)
    if value.sort in allowed or value.sort is Sort.NULL:
        return value
    hint = {
        Sort.TEXT: "text(x)",
        Sort.INT: "int(x)",
        Sort.FLOAT: "float(x)",
        Sort.TIME: "timestamp(x)",
        Sort.BOOL: "bool(x)",
    }
    convert = hint.get(allowed[0])
    advice = f"; convert it with {convert}" if convert else ""
    raise ExpressionError(f"{usage} needs {' or '.join(allowed)}, found {value.sort}{advice}")


def common_sort(values: Iterable[Typed], usage: str) -> Sort:
    """The one sort that all values have (missing ones fit anything, numbers widen)."""
    sorts = {value.sort for value in values} - {Sort.NULL}
    if not sorts:
        return Sort.NULL
    if len(sorts) == 1:
        return sorts.pop()
    if sorts <= set(NUMBERS):
        return Sort.FLOAT
    if sorts <= set(TEXTS):
        return Sort.TEXT
    raise ExpressionError(
        f"{usage}: the alternatives are of different kinds ({', '.join(sorted(sorts))}); convert them"
    )
