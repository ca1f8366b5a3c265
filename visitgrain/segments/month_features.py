"""Month features: a subscriber's visits of a month in one row, beside the snapshot of the month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.arrow.rows import TableFiles
from visitgrain.catalogue.score_cards import REQUIRED, ScoreCard
from visitgrain.segments.visit_sums import SUMS, sums_of_visits
from visitgrain.span import DAY_US, Span
from visitgrain.tables.segmentation import MONTH_FEATURES
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, IN_SERVICE

COMPLETED = ("paid", "fulfilled", "cancelled")  # an order cancelled after payment was completed first
ACTIVE_DAYS, VISITS_30D, GAPS, GAP_US, LAST_US = "_active_days", "_visits_30d", "_gaps", "_gap_us", "_last_us"


def summarise_months(
    visits: TableFiles,
    visit_days: DataFrame,
    subscriber_month: DataFrame,
    snapshot_before: DataFrame,
    orders: DataFrame,
    *,
    spec: Mapping[str, ScoreCard],
    span: Span,
) -> DataFrame:
    """One row per subscriber with a visit that starts in the month or a snapshot of it.

    Visits that nobody is known for make one row of outcome 'anonymous' which is counted, not written.
    """
    joined = (
        sums_of_visits(visits, tuple(spec))
        .join(_of_snapshot(subscriber_month, span), on="subscriber_id", how="full")
        .join(_active_days(visit_days, span), on="subscriber_id", how="left")
        .join(_fee_before(snapshot_before), on="subscriber_id", how="left")
        .join(_ordered_businesses(orders), on="subscriber_id", how="left")
    )
    features = _features(tuple(spec), span)
    return joined.select(
        *[features.get(name, F.col(name)).alias(name) for name in MONTH_FEATURES.column_names],
        F.coalesce("visits", F.lit(0)).cast("bigint").alias("_rows"),
        F.when(F.col("subscriber_id").isNull(), "anonymous").otherwise("kept").alias("_outcome"),
    )


def _of_snapshot(snapshots: DataFrame, span: Span) -> DataFrame:
    age = F.coalesce(F.lit(span.month.year) - F.col("birth_year"), F.col("age"))
    return snapshots.select(
        "subscriber_id",
        age.alias("age"),
        "arpu_fen",
        "dou_mb",
        "plan_id",
        "plan_fee_fen",
        F.col("status").isin(*IN_SERVICE).alias("in_service"),
        F.lit(True).alias("has_snapshot"),
    )


def _active_days(visit_days: DataFrame, span: Span) -> DataFrame:
    """Days as bits of one number: no distinct. A visit over midnight counts on both days, each in its own month."""
    active = (F.col("active_events") > 0) & F.col("day").between(span.start, span.end)
    bits = F.bit_or(F.expr("shiftleft(1L, day(day) - 1)"))
    return (
        visit_days.filter(F.col("subscriber_id").isNotNull() & active)
        .groupBy("subscriber_id")
        .agg(F.bit_count(bits).alias(ACTIVE_DAYS))
    )


def _fee_before(snapshots: DataFrame) -> DataFrame:
    return snapshots.select("subscriber_id", F.col("plan_fee_fen").alias("_fee_before"))


def _ordered_businesses(orders: DataFrame) -> DataFrame:
    completed = orders.filter(F.col("subscriber_id").isNotNull() & F.col("status").isin(*COMPLETED))
    names = [F.when(F.max(F.col("business") == name), F.lit(name)) for name in sorted(BUSINESSES)]
    return completed.groupBy("subscriber_id").agg(F.array_compact(F.array(*names)).alias("ordered_businesses"))


def _features(purposes: tuple[str, ...], span: Span) -> dict[str, Column]:
    """The columns that are more than a rename, by name."""
    midnight = F.unix_micros(F.lit(span.end + timedelta(days=1)).cast("timestamp"))
    open_interval = midnight - F.col(LAST_US)
    gap_sum = F.coalesce(GAP_US, F.lit(0))
    return {
        "month": F.lit(span.month),
        "visits": _count("visits"),
        "active_days": _count(ACTIVE_DAYS),
        "recency_days": open_interval / F.lit(float(DAY_US)),
        "mean_gap_days": F.try_divide(F.col(GAP_US) / F.lit(float(DAY_US)), F.col(GAPS)),
        # The interval that the month's end cuts off counts as one more: without it a lone visit would have no mean.
        "mean_interval_days": (gap_sum + open_interval) / F.lit(float(DAY_US)) / (F.col(GAPS) + 1),
        "mean_visits_30d": F.col(VISITS_30D) / F.col("visits"),
        "score": _map({name: F.coalesce(f"_score_{name}", F.lit(0.0)) for name in purposes}),
        "score_per_visit": F.col(f"_score_{REQUIRED}") / F.col("visits"),
        **{name: _count(name) for name in SUMS if not name.startswith("_")},
        **{name: F.coalesce(name, F.lit(0)).cast("bigint") for name in ("duration_s", "paid_fen")},
        "business_events": _map({name: _count(f"_business_{name}") for name in BUSINESSES}),
        "channel_visits": _map({name: _count(f"_channel_{name}") for name in CHANNELS}),
        **{name: F.coalesce(name, F.lit(False)) for name in ("in_service", "has_snapshot")},
        "plan_downgraded": F.coalesce(F.col("plan_fee_fen") < F.col("_fee_before"), F.lit(False)),
        "ordered_businesses": F.coalesce("ordered_businesses", F.array().cast("array<string>")),
    }


def _count(name: str) -> Column:
    """0 where there is nothing. Sums over all anonymous visits may pass an int: not written, so null is fine."""
    return F.coalesce(F.col(name), F.lit(0)).try_cast("int")


def _map(columns: dict[str, Column]) -> Column:
    return F.create_map(*[part for name, column in columns.items() for part in (F.lit(name), column)])
