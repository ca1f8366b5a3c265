"""Snapshots of CRM and billing as measures, and the attributes of subscribers that populations are told apart by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.measures import SNAPSHOTS
from visitgrain.expressions.measures import Conditions
from visitgrain.metrics.inner import atom
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.slices import ALL, ATTRIBUTES, UNKNOWN
from visitgrain.metrics.window_rows import KEY, snapshot_months
from visitgrain.metrics.windows import WindowEnd

AGE_BANDS = (18, 25, 35, 45, 55, 65)  # a band begins here


def with_segments(snapshots: DataFrame, products: DataFrame, segments: dict[str, DataFrame]) -> DataFrame:
    """One row per subscriber and month with a snapshot or a segment: the snapshot, its plan's tier, and attributes."""
    tiers = products.select(F.col("product_id").alias("plan_id"), F.col("tier").alias("plan_tier"))
    found = snapshots.join(F.broadcast(tiers), "plan_id", how="left").withColumn("_snapshot", F.lit(True))
    for model, rows in segments.items():
        name = f"{model}_segment"
        named = F.coalesce(F.col("segment").cast("string"), F.lit("unassigned")).alias(name)
        found = found.join(rows.select("subscriber_id", "month", named), ["subscriber_id", "month"], how="full")
    return found


def with_slices_of_people(rows: DataFrame, attributes: DataFrame) -> DataFrame:
    """`rows` of subscribers and windows with the slices that each counts in, as `_slices`: everybody, and the
    subscriber's value of each attribute; an array of structs of slice and slice_value."""
    told = rows.join(attributes, ["subscriber_id", *KEY], how="left")
    everybody = f"named_struct('slice', '{ALL}', 'slice_value', '{ALL}')"
    named = [f"named_struct('slice', '{name}', 'slice_value', coalesce({name}, '{UNKNOWN}'))" for name in ATTRIBUTES]
    return told.selectExpr("*", f"array({', '.join([everybody, *named])}) _slices").drop(*ATTRIBUTES)


def snapshots_of_windows(rows: DataFrame, windows: Sequence[WindowEnd], plans: Plans) -> DataFrame:
    """One row per subscriber and window: snapshot atoms, each of the latest month that had ended, and ATTRIBUTES."""
    wanted = sorted(found for found in plans.atoms if plans.measures[found.measure].source == SNAPSHOTS)
    backs = sorted({0, *(found.back for found in wanted)})
    conditions = Conditions(rows, plans.catalogue.settings.sets, plans.zone)
    names = sorted({found.measure for found in wanted})
    values = [_value(conditions, plans, name).alias(name) for name in names]
    narrow = rows.select("subscriber_id", "month", *values, *_attributes()).repartition("subscriber_id")
    months = F.broadcast(snapshot_months(rows.where("_snapshot"), windows, backs))
    of_windows = narrow.join(months, "month", how="inner")
    values_of = [f"max(if(back = {a.back}, {a.measure}, null)) {atom(a.measure, a.back)}" for a in wanted]
    attributes = [f"max(if(back = 0, {name}, null)) {name}" for name in ATTRIBUTES]
    return of_windows.groupBy("subscriber_id", *KEY).agg(*map(F.expr, [*values_of, *attributes]))


def _value(conditions: Conditions, plans: Plans, name: str) -> Column:
    """Null where there is no snapshot, or where the measure's condition does not hold."""
    measure = plans.measures[name]
    there = F.col("_snapshot")
    if measure.when:
        there = there & conditions.value(measure.when)
    return F.when(there, conditions.value(str(measure.value)))


def _attributes() -> list[Column]:
    age = F.coalesce(F.col("age"), F.year("month") - F.col("birth_year"))
    return [
        F.col("area_code").alias("area"),
        _band(age).alias("age_band"),
        F.col("star_level").cast("string").alias("star_level"),
        F.col("plan_id").alias("plan"),
        F.col("consumption_segment"),
        F.col("behaviour_segment"),
    ]


def _band(age: Column) -> Column:
    """under 18, 18-24, 25-34, …, 65+"""
    band = F.when(age < AGE_BANDS[0], F.lit(f"under {AGE_BANDS[0]}"))
    for low, high in pairwise(AGE_BANDS):
        band = band.when(age < high, F.lit(f"{low}-{high - 1}"))
    return band.when(age >= AGE_BANDS[-1], F.lit(f"{AGE_BANDS[-1]}+"))
