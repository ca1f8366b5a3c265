"""What CRM and billing say of the simulated subscribers: the month snapshot and the planted hazard."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.simulation.chance import between, normal, uniform
from visitgrain.simulation.subscribers import month_start, months_of, silence_hazard
from visitgrain.simulation.world import World

OVERAGE_FEN_PER_MB = 0.3


def to_subscriber_months(subscribers: DataFrame, *, start: date, end: date) -> DataFrame:
    """One row per subscriber and month, from the month of activation to the month of leaving, both included."""
    months = F.explode(F.sequence(F.lit(0), F.lit(months_of(start, end) - 1))).alias("month_no")
    dated = subscribers.select("*", months).select("*", month_start(start, F.col("month_no")).alias("month"))
    not_left = F.col("leaving_month").isNull() | (F.col("month_no") <= F.col("leaving_month"))
    in_base = dated.filter((F.col("activation_date") <= F.last_day("month")) & not_left)
    return in_base.select("*", F.xxhash64("person", "month_no").alias("draw"))


def to_snapshots(subscriber_months: DataFrame) -> DataFrame:
    """`subscriber_month`: one row per subscriber and month in the base."""
    used = subscriber_months.select("*", *_usage())
    return used.select("*", *_bill())


def to_hazards(subscriber_months: DataFrame, *, world: World, start: date) -> DataFrame:
    """Truth: the hazard of each subscriber-month before silence, and whether it struck."""
    at_risk = subscriber_months.filter(F.col("silent_month").isNull() | (F.col("month_no") <= F.col("silent_month")))
    return at_risk.select(
        "subscriber_id",
        "month",
        silence_hazard(world, start, F.col("month_no")).alias("hazard"),
        F.coalesce(F.col("month_no") == F.col("silent_month"), F.lit(False)).alias("is_silent"),
        F.when(F.col("month_no") == F.col("silent_month"), F.col("silent_from")).alias("silent_from"),
        F.col("uses_e_channel"),
    )


def _usage() -> list[Column]:
    draw = F.col("draw")
    noise = F.exp(F.lit(0.25) * normal(draw, "data"))
    share_of_month = F.when(F.col("month") > F.col("silent_from"), F.lit(0.15)).otherwise(F.lit(1.0))
    leaving = F.col("month_no") == F.col("leaving_month")
    in_arrears = uniform(draw, "arrears") < 0.015
    return [
        F.round(F.col("plan.quota_mb") * F.col("data_use") * noise * share_of_month, 1).alias("dou_mb"),
        F.round(F.lit(90.0) * F.exp(F.lit(0.7) * normal(F.col("person"), "voice")) * share_of_month, 1).alias(
            "mou_min"
        ),
        between(uniform(draw, "sms"), F.lit(0), F.lit(20)).cast("int").alias("sms_count"),
        between(uniform(draw, "balance"), F.lit(0), F.lit(15000)).alias("balance_fen"),
        F.when(leaving, F.col("leaving_status"))
        .when(in_arrears, F.lit("arrears_stop"))
        .otherwise(F.lit("active"))
        .alias("status"),
    ]


def _bill() -> list[Column]:
    person = F.col("person")
    overage_mb = F.greatest(F.col("dou_mb") - F.col("plan.quota_mb"), F.lit(0.0))
    overage_fen = F.least(overage_mb * F.lit(OVERAGE_FEN_PER_MB), F.col("plan.price_fen").cast("double"))
    extras_fen = F.lit(300.0) * F.exp(normal(F.col("draw"), "extras"))
    tenure_years = F.date_diff(F.last_day("month"), F.col("activation_date")) / F.lit(365.0)
    consent = uniform(person, "consent")
    return [
        F.col("plan.product_id").alias("plan_id"),
        F.col("plan.price_fen").alias("plan_fee_fen"),
        F.round(F.col("plan.price_fen") + overage_fen + extras_fen).cast("bigint").alias("arpu_fen"),
        F.col("plan.quota_mb").alias("data_quota_mb"),
        F.least(F.col("dou_mb"), F.col("plan.quota_mb")).alias("data_used_mb"),
        between(uniform(person, "circle"), F.lit(0), F.lit(60)).cast("int").alias("social_circle_size"),
        F.element_at(
            F.array(*(F.lit(g) for g in "ABC")), between(uniform(person, "grade"), F.lit(1), F.lit(3)).cast("int")
        ).alias("number_quality"),
        F.least(F.lit(5), F.floor(tenure_years / F.lit(2.0)) + F.lit(1)).cast("int").alias("star_level"),
        (uniform(person, "dnd") < 0.08).alias("dnd"),
        F.when(consent < 0.7, F.lit(True)).when(consent < 0.85, F.lit(False)).alias("consent"),
    ]
