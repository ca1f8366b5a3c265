"""Measures of a source -> aggregates: all of them in one pass over its rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.expression_tree import Scalar
from visitgrain.catalogue.measures import SKETCH_BASE, Measure, day_type
from visitgrain.expressions.exact import EXACT
from visitgrain.expressions.measures import FIRST_KEYS, Conditions
from visitgrain.measures.sources import OTHER

BUCKET = math.log(SKETCH_BASE)  # width of a sketch's buckets


class Summed(NamedTuple):
    """A day column: its aggregate over rows, and how it merges with the same column of other rows."""

    column: str
    aggregate: Column
    merge: str  # sum, max or min


class Compiler(Conditions):
    """Compiles the measures of a source over the columns of its rows."""

    def holds(self, measure: Measure) -> Column:
        """The rows that the measure counts; null is no."""
        known = F.col("subscriber_id").isNull() if measure.subject == "nobody" else F.col("subscriber_id").isNotNull()
        other = measure.subject == "sharer" or measure.date == "cancel_time"
        of_it = known & (F.col(OTHER) == F.lit(other))
        if measure.when:
            of_it = of_it & self.value(measure.when)
        if measure.agg == "sketch":
            of_it = of_it & (self.value(str(measure.value)) >= 0)
        return of_it

    def day(self, measure: Measure) -> Iterator[Summed]:
        """The aggregates of all columns of the measure but the map of a sketch."""
        holds, name = self.holds(measure), measure.id
        value = self.value(measure.value) if measure.value else F.lit(1)
        match measure.agg:
            case "count":
                yield Summed(name, F.count_if(holds), "sum")
            case "sum":
                yield Summed(name, _sum(holds, value, day_type(measure)), "sum")
            case "days" | "date_set" | "min_date" | "max_date":
                yield Summed(name, F.max(F.when(holds, 1)), "max")
            case "sketch":
                yield Summed(f"{name}__n", F.count_if(holds), "sum")
            case "first_by":
                first = F.unix_micros("order_time") * FIRST_KEYS + _position(measure)
                yield Summed(name, F.min(F.when(holds, first)), "min")
            case _:
                for key in measure.keys:
                    yield _of_key(measure, key, holds & (F.col(str(measure.by)) == key), value)

    def bucket(self, measure: Measure) -> Column:
        """Bucket of a row in a sketch; null where the measure does not count it. Values up to 1 are in bucket 0."""
        logarithm = F.log(F.greatest(self.value(str(measure.value)), F.lit(1)).cast("double"))
        return F.when(self.holds(measure), F.ceil(logarithm / F.lit(BUCKET)).cast("int"))


def columns_of(measures: Sequence[Measure], compiler: Compiler) -> list[Summed]:
    return [summed for measure in measures for summed in compiler.day(measure)]


def _of_key(measure: Measure, key: Scalar, holds: Column, value: Column) -> Summed:
    column = measure.column(key)
    if measure.agg == "count_by":
        return Summed(column, F.count_if(holds), "sum")
    if measure.agg == "sum_by":
        return Summed(column, _sum(holds, value, "bigint"), "sum")
    return Summed(column, F.max(F.when(holds, 1)).cast("bigint"), "max")


def _sum(holds: Column, value: Column, kind: str) -> Column:
    return F.sum(F.when(holds, value.cast(EXACT if kind == "double" else kind)))


def _position(measure: Measure) -> Column:
    keys = F.array(*(F.lit(key) for key in measure.keys))
    return F.array_position(keys, F.col(str(measure.by)))
