"""Measures of a source -> columns that say of every row whether it counts, and what it adds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.expression_tree import Scalar
from visitgrain.catalogue.measures import SKETCH_BASE, Measure, day_type
from visitgrain.expressions.measures import FIRST_KEYS, Conditions
from visitgrain.measures.sources import OTHER

BUCKET = math.log(SKETCH_BASE)  # width of a sketch's buckets
How = Literal["sum", "any", "least", "sketch"]


class Part(NamedTuple):
    """What rows give to a column of a day.

    `holds` names the column that says which rows count, `value` that of what each gives (None = 1); where `by` names
    the place of a row's key, only rows at `place` count.
    """

    column: str
    how: How
    holds: str
    value: str | None = None
    by: str | None = None
    place: int = 0


class Compiler(Conditions):
    """Compiles measures over the rows of their source. `columns`: what was needed so far, each expression once."""

    def __init__(self, rows: DataFrame, sets: Mapping[str, tuple[Scalar, ...]], zone: str) -> None:
        super().__init__(rows, sets, zone)
        self.columns: dict[str, Column] = {}
        self._names: dict[tuple[object, ...], str] = {}

    def parts(self, measure: Measure) -> Iterator[Part]:
        """Those of all columns of the measure."""
        name, holds = measure.id, self._holds(measure)
        match measure.agg:
            case "count" | "sum":
                yield Part(name, "sum", holds, self._value(measure))
            case "days" | "date_set" | "min_date" | "max_date":
                yield Part(name, "any", holds)
            case "sketch":
                bucket = self._named((measure.value, "bucket"), lambda: self._bucket(measure))
                yield Part(name, "sketch", holds, bucket)
                yield Part(f"{name}__n", "sum", holds)
            case "first_by":
                yield Part(name, "least", holds, self._named((measure.by, "first"), lambda: self._first(measure)))
            case _:
                how: How = "any" if measure.agg == "days_by" else "sum"
                value, by = self._value(measure), self._place(measure)
                for place, key in enumerate(measure.keys, 1):
                    yield Part(measure.column(key), how, holds, value, by, place)

    def _named(self, what: tuple[object, ...], column: Callable[[], Column]) -> str:
        if what not in self._names:
            self._names[what] = f"_{len(self._names)}"
            self.columns[self._names[what]] = column()
        return self._names[what]

    def _holds(self, measure: Measure) -> str:
        """Of the rows that the measure counts; null is no."""
        other = measure.subject == "sharer" or measure.date == "cancel_time"
        sketched = measure.value if measure.agg == "sketch" else None
        what = (measure.subject == "nobody", other, measure.when, sketched)
        return self._named(what, lambda: self._condition(*what))

    def _condition(self, nobody: bool, other: bool, when: str | None, sketched: str | None) -> Column:
        known = F.col("subscriber_id").isNull() if nobody else F.col("subscriber_id").isNotNull()
        found = known & (F.col(OTHER) == F.lit(other))
        if when:
            found = found & self.value(when)
        return found & (self.value(sketched) >= 0) if sketched else found

    def _value(self, measure: Measure) -> str | None:
        text, kind = measure.value, day_type(measure)
        return self._named((text, kind), lambda: self.value(text).cast(kind)) if text else None

    def _bucket(self, measure: Measure) -> Column:
        """Of a row in a sketch. Values up to 1 are in bucket 0."""
        logarithm = F.log(F.greatest(self.value(str(measure.value)), F.lit(1)).cast("double"))
        return F.ceil(logarithm / F.lit(BUCKET)).cast("int")

    def _first(self, measure: Measure) -> Column:
        return F.unix_micros("order_time") * FIRST_KEYS + self.columns[self._place(measure)]

    def _place(self, measure: Measure) -> str:
        """Of the row's key among those of the measure, from 1; 0 = none of them."""
        return self._named((measure.by, "place"), lambda: _position(str(measure.by), measure.keys))


def _position(by: str, keys: Sequence[Scalar]) -> Column:
    return F.array_position(F.array(*(F.lit(key) for key in keys)), F.col(by)).cast("int")
