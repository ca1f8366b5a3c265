"""Everything formulas read, in one row per subscriber and window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.measures import Measure
from visitgrain.expressions.measures import FIRST_KEYS
from visitgrain.metrics import date_sets
from visitgrain.metrics.inner import LONGEST_WINDOW, ORIGIN, atom
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.slices import ATTRIBUTES
from visitgrain.metrics.snapshots import snapshots_of_windows, with_segments
from visitgrain.metrics.states import SETS, merged_states, words_of_days
from visitgrain.metrics.sums_of_days import FROM_SETS, summed_days
from visitgrain.metrics.window_rows import KEY, SLICE, bounds, covered
from visitgrain.metrics.windows import WindowEnd

SUBJECT = ("subscriber_id",)
SLICED = (*SUBJECT, *SLICE)


class Inputs(NamedTuple):
    """Tables that windows are made of."""

    subscriber_days: DataFrame
    subscriber_state: DataFrame
    measured_days: DataFrame
    subscriber_month: DataFrame
    products: DataFrame
    consumption_segments: DataFrame
    behaviour_segments: DataFrame


def of_subscribers(inputs: Inputs, windows: Sequence[WindowEnd], plans: Plans) -> DataFrame:
    """One row per window and subscriber ever seen or in a snapshot, and one of nobody: anonymous visits."""
    sums = summed_days(inputs.subscriber_days, windows, plans, SUBJECT)
    states = of_states(inputs, windows)
    snapshots = snapshots_of_windows(_snapshots(inputs), windows, plans)
    joined = sums.join(states, [*SUBJECT, *KEY], how="full").join(snapshots, [*SUBJECT, *KEY], how="full")
    return completed(joined, inputs.measured_days, windows, plans)


def attributes_of(inputs: Inputs, windows: Sequence[WindowEnd], plans: Plans) -> DataFrame:
    """One row per window and subscriber with a snapshot or a segment: what populations are told apart by."""
    found = snapshots_of_windows(_snapshots(inputs), windows, plans.only(()))
    return found.select(*SUBJECT, *KEY, *ATTRIBUTES)


def of_slices(slice_days: DataFrame, measured_days: DataFrame, windows: Sequence[WindowEnd], plans: Plans) -> DataFrame:
    """One row per window, subscriber, slice and value. Sets of dates reach as far back as `slice_days`."""
    sums = summed_days(slice_days, windows, plans, SLICED)
    names = _sets_of(plans)
    if names:
        ends = F.broadcast(bounds(slice_days, windows, 0).select(*KEY, ORIGIN))
        days = slice_days.where("subscriber_id is not null").select(*SLICED, "day", *names).repartition("subscriber_id")
        before = days.join(ends, F.expr("day <= window_end"), how="inner")
        sets = words_of_days([*SLICED, *KEY], before, names).drop(ORIGIN)
        sums = sums.join(sets, [*SLICED, *KEY], how="full")
    return completed(sums, measured_days, windows, plans)


def _sets_of(plans: Plans) -> list[str]:
    """The sets of dates that the formulas read."""
    read = {"activity_dates" if a.measure == FROM_SETS and a.back else a.measure for a in plans.atoms}
    return [name for name in SETS if name in read]


def _snapshots(inputs: Inputs) -> DataFrame:
    segments = {"consumption": inputs.consumption_segments, "behaviour": inputs.behaviour_segments}
    return with_segments(inputs.subscriber_month, inputs.products, segments)


def of_states(inputs: Inputs, windows: Sequence[WindowEnd]) -> DataFrame:
    """The state at the end of each window: that of the last month end before its month, and the days since."""
    ends = F.broadcast(bounds(inputs.subscriber_state, windows, 0).select(*KEY, ORIGIN))
    base = "date_sub(trunc(window_end, 'month'), 1)"
    states = inputs.subscriber_state.selectExpr("*", f"{date_sets.origin_of('unix_date(as_of)')} _from")
    before = states.repartition("subscriber_id").join(ends, F.expr(f"as_of = {base}"), how="inner")
    first = min(window.end for window in windows).replace(day=1)
    days = inputs.subscriber_days.where(F.col("subscriber_id").isNotNull() & (F.col("day") >= F.lit(first)))
    since = days.select(*SUBJECT, "day", *SETS, "first_order_business").repartition("subscriber_id")
    since = since.join(ends, F.expr(f"day <= window_end and day > {base}"), how="inner")
    return merged_states(before, since, [*SUBJECT, *KEY]).drop(ORIGIN)


def completed(rows: DataFrame, measured_days: DataFrame, windows: Sequence[WindowEnd], plans: Plans) -> DataFrame:
    """The rows with the bounds of their windows, how far history reaches, and what follows from sets of dates."""
    reach = F.broadcast(covered(measured_days, windows))
    ends = bounds(rows, windows, plans.most_back).join(reach, list(KEY), how="left")
    framed = rows.join(F.broadcast(ends), list(KEY), how="inner")
    derived = []
    for found in sorted(plans.atoms, key=str):
        measure = plans.measures[found.measure]
        if found.measure == FROM_SETS and found.back:
            derived.append(f"{_active_days(found.back)} {atom(FROM_SETS, found.back)}")
        elif measure.agg == "first_by":
            text = _first_in_window(measure, found.key) if measure.id in rows.columns else "0L"  # slices have no state
            derived.append(f"{text} {atom(measure.id, 0, found.key)}")
    return framed.selectExpr("*", *derived)


def _active_days(back: int) -> str:
    first, last = (f"unix_date({atom(name, back)})" for name in ("window_start", "window_end"))
    return date_sets.hits("activity_dates", ORIGIN, first, last, LONGEST_WINDOW)


def _first_in_window(measure: Measure, key: object) -> str:
    """1 where the first row ever has this key and falls into the window."""
    day = f"to_date(timestamp_micros({measure.id} div {FIRST_KEYS}))"
    is_key = f"{measure.id} % {FIRST_KEYS} = {measure.keys.index(key) + 1}"
    return f"cast(coalesce({day} between window_start and window_end and {is_key}, false) as bigint)"
