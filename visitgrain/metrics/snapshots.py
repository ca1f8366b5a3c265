"""Snapshots of CRM and billing as measures, and the attributes that populations are told apart by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from itertools import pairwise

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.expressions.measures import Conditions
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.windows import WindowEnd
from visitgrain.span import Span

SNAPSHOT_DAYS = 92  # an older snapshot says nothing about today
AGE_BANDS = (18, 25, 35, 45, 55, 65)  # a band begins here
FROM_SNAPSHOT = ("area", "age_band", "star_level", "plan")


def snapshot_values(snapshots: DataFrame, products: DataFrame, plans: Plans) -> DataFrame:
    """One row per subscriber and month with a snapshot: the snapshot measures of `plans`, null where their condition
    does not hold, and FROM_SNAPSHOT."""
    tiers = products.select(F.col("product_id").alias("plan_id"), F.col("tier").alias("plan_tier"))
    rows = snapshots.join(F.broadcast(tiers), "plan_id", how="left")
    conditions = Conditions(rows, plans.catalogue.settings.sets, plans.zone)
    values = [_value(conditions, plans, name).alias(name) for name in plans.snapshot_measures]
    return rows.select("subscriber_id", "month", *values, *_attributes())


def snapshot_months(
    there: Collection[date], windows: Sequence[WindowEnd], plans: Plans
) -> dict[tuple[WindowEnd, int], date]:
    """By window and `back`: the latest of the months `there` that had ended by the end of the window."""
    found = {}
    for window in windows:
        for back in plans.snapshot_backs:
            last = window.bounds(back).end
            fits = [month for month in there if 0 <= (last - Span.month_of(month).end).days < SNAPSHOT_DAYS]
            if fits:
                found[window, back] = max(fits)
    return found


def _value(conditions: Conditions, plans: Plans, name: str) -> Column:
    measure = plans.measures[name]
    value = conditions.value(str(measure.value))
    return F.when(conditions.value(measure.when), value) if measure.when else value


def _attributes() -> list[Column]:
    age = F.coalesce(F.col("age"), F.year("month") - F.col("birth_year"))
    return [
        F.col("area_code").alias("area"),
        _band(age).alias("age_band"),
        F.col("star_level").cast("string").alias("star_level"),
        F.col("plan_id").alias("plan"),
    ]


def _band(age: Column) -> Column:
    """under 18, 18-24, 25-34, …, 65+"""
    band = F.when(age < AGE_BANDS[0], F.lit(f"under {AGE_BANDS[0]}"))
    for low, high in pairwise(AGE_BANDS):
        band = band.when(age < high, F.lit(f"{low}-{high - 1}"))
    return band.when(age >= AGE_BANDS[-1], F.lit(f"{AGE_BANDS[-1]}+"))
