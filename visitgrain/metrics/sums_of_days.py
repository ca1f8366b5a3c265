"""Days -> windows: the additive measures of subscribers (or of their slices), summed over the days of each window."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, functions as F
from pyspark.sql.types import DataType

from visitgrain.catalogue.atoms import Atom
from visitgrain.catalogue.measures import SNAPSHOTS, Measure
from visitgrain.expressions.exact import exact_sum
from visitgrain.metrics.inner import atom
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.window_rows import KEY, ranges
from visitgrain.metrics.windows import WindowEnd

FROM_SETS = "active_days"  # earlier windows of it come from the set of active days, which reaches back furthest


def summed_days(days: DataFrame, windows: Sequence[WindowEnd], plans: Plans, keys: Sequence[str]) -> DataFrame:
    """One row per key and window with rows in it: a column per additive atom.

    Rows are brought together by subscriber once, and spread over the windows that hold them after that.
    """
    wanted = sorted(additive(plans), key=str)
    backs = sorted({found.back for found in wanted})
    columns = sorted({atom(found.measure, 0, found.key) for found in wanted})
    types = {field.name: field.dataType for field in days.schema}
    together = days.select(*keys, "day", *columns).repartition("subscriber_id")
    rows = together.join(F.broadcast(ranges(days, windows, backs)), F.expr("day between first and last"), how="inner")
    return rows.groupBy(*keys, *KEY).agg(*(F.expr(_sum(found, types)) for found in wanted))


def additive(plans: Plans) -> set[Atom]:
    """Atoms that are sums over days."""
    return {
        found
        for found in plans.atoms
        if is_additive(plans.measures[found.measure]) and not (found.measure == FROM_SETS and found.back)
    }


def is_additive(measure: Measure) -> bool:
    dated = measure.agg in ("date_set", "min_date", "max_date", "first_by")
    return measure.source != SNAPSHOTS and not dated


def _sum(found: Atom, types: dict[str, DataType]) -> str:
    column = atom(found.measure, 0, found.key)
    of_window = f"if(back = {found.back}, {column}, null)"
    name = atom(found.measure, found.back, found.key)
    return f"{exact_sum(of_window, types[column])} {name}"
