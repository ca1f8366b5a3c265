"""Snapshots and segments of the month -> features of the contract, as of the cut-off."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.measures import SETS
from visitgrain.span import Span

KEY = ["subscriber_id", "month"]
GONE = SETS["GONE"]
CUT_DAY = "add_months(month, 1)"

# Feature -> Spark SQL over the snapshot of the month. Money in yuan: coefficients of models stay readable.
OF_SNAPSHOT = {
    "age": f"cast(coalesce(age, year({CUT_DAY}) - birth_year) as double)",
    "network_months": f"months_between({CUT_DAY}, activation_date)",
    "arpu_yuan": "arpu_fen / 100D",
    "arpu_change": "arpu_fen / 100D / (_arpu_before / 100D + 1D)",
    "dou_mb": "dou_mb",
    "mou_min": "mou_min",
    "plan_fee_yuan": "plan_fee_fen / 100D",
    "quota_used": "try_divide(data_used_mb, data_quota_mb)",
    "balance_yuan": "balance_fen / 100D",
    "contract_days": f"cast(datediff(contract_end, {CUT_DAY}) as double)",
    "broadband_days": f"cast(datediff(broadband_expiry, {CUT_DAY}) as double)",
    "sticky_services": "cast(sticky_services as double)",
    "social_circle_size": "cast(social_circle_size as double)",
    "star_level": "cast(star_level as double)",
    "area": "area_code",
    "plan": "plan_id",
    "gone": f"coalesce(status in {GONE}, false)",
}


def contract_features(
    subscriber_month: DataFrame, consumption_segments: DataFrame, behaviour_segments: DataFrame, span: Span
) -> DataFrame:
    """One row per subscriber and month of the span with a snapshot or a segment."""
    inside = F.col("month").between(F.lit(span.month), F.lit(span.end))
    before = subscriber_month.select(
        "subscriber_id", F.add_months("month", 1).alias("month"), F.col("arpu_fen").alias("_arpu_before")
    )
    snapshots = subscriber_month.where(inside).join(before, KEY, how="left")
    found = snapshots.selectExpr(*KEY, *(f"{text} {name}" for name, text in OF_SNAPSHOT.items()))
    levels = [
        F.col(f"{axis}_level").cast("double").alias(f"{axis}_level") for axis in ("recency", "frequency", "value")
    ]
    consumption = consumption_segments.where(inside).select(*KEY, _named("consumption_segment"))
    behaviour = behaviour_segments.where(inside).select(*KEY, _named("behaviour_segment"), *levels)
    return found.join(consumption, KEY, how="full").join(behaviour, KEY, how="full")


def _named(name: str) -> Column:
    return F.col("segment").cast("string").alias(name)
