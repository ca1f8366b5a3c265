"""What the subscribers of each segment are like: one number per model, segment, feature and item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.segment_models import UNASSIGNED, SegmentModel
from visitgrain.expressions.exact import exact_mean
from visitgrain.expressions.literal_rows import literal_rows
from visitgrain.span import Span
from visitgrain.tables.segmentation import SEGMENT_PROFILES
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS

ALL = "all"  # the item of a feature that is about nothing in particular
# Means over those subscribers of the segment who have the number: feature -> column of month_features.
MEANS = {
    "mean_age": "age",
    "mean_arpu_fen": "arpu_fen",
    "mean_dou_mb": "dou_mb",
    "mean_plan_fee_fen": "plan_fee_fen",
    "mean_visits": "visits",
    "mean_active_days": "active_days",
    "mean_recency_days": "recency_days",
    "mean_interval_days": "mean_interval_days",
    "mean_duration_s": "duration_s",
    "mean_events": "events",
    "mean_page_views": "page_views",
    "mean_actions": "actions",
    "mean_orders": "orders",
    "mean_topups": "topups",
    "mean_paid_fen": "paid_fen",
}
SHARES = ("in_service", "plan_downgraded")
CELL = ["model", "segment"]


class Described(NamedTuple):
    """What the profiles need of the catalogue."""

    models: Mapping[str, SegmentModel]
    purposes: tuple[str, ...]


def profile_segments(
    month_features: DataFrame,
    consumption_segments: DataFrame,
    behaviour_segments: DataFrame,
    *,
    spec: Described,
    span: Span,
) -> DataFrame:
    """All 27 segments and the unassigned of both models, also when empty (then values are null and counts 0)."""
    members = _members({"consumption": consumption_segments, "behaviour": behaviour_segments})
    rows = members.join(_described(month_features), on="subscriber_id", how="inner")
    cells = _with_counts(_cells(month_features, spec.models), members)
    fixed = _unpivot(cells, rows.groupBy(*CELL).agg(*_aggregates(spec.purposes)), spec.purposes)
    listed = _listed(cells, rows.groupBy(*CELL, F.col("plan_id").alias("item")), "plan_share").unionByName(
        _listed(cells, members.groupBy(*CELL, F.col("reason").alias("item")), "unassigned_share")
    )
    return fixed.unionByName(listed).withColumn("month", F.lit(span.month)).select(*SEGMENT_PROFILES.column_names)


def _members(assigned: Mapping[str, DataFrame]) -> DataFrame:
    """One row per model and subscriber of its base."""
    consumption, behaviour = (
        rows.select(
            F.lit(model).alias("model"),
            "subscriber_id",
            F.coalesce("segment", F.lit(UNASSIGNED)).alias("segment"),
            "reason",
        )
        for model, rows in assigned.items()
    )
    return consumption.unionByName(behaviour)


def _described(features: DataFrame) -> DataFrame:
    return features.select(
        "subscriber_id",
        *MEANS.values(),
        *SHARES,
        "plan_id",
        "score",
        "business_events",
        "channel_visits",
        "ordered_businesses",
    )


def _cells(anchor: DataFrame, models: Mapping[str, SegmentModel]) -> DataFrame:
    rows = [(name, cell.segment, cell.code) for name, model in models.items() for cell in model.cells_and_unassigned()]
    return literal_rows(anchor, rows, ("model", "string"), ("segment", "int"), ("segment_name", "string"))


def _with_counts(cells: DataFrame, members: DataFrame) -> DataFrame:
    """The cells with their subscribers and the size of their model's base."""
    counts = members.groupBy(*CELL).agg(F.count(F.lit(1)).alias("subscribers"))
    sizes = counts.groupBy("model").agg(F.sum("subscribers").alias("base"))
    return (
        cells.join(counts, on=CELL, how="left")
        .join(sizes, on="model", how="left")
        .select(*CELL, "segment_name", F.coalesce("subscribers", F.lit(0).cast("bigint")).alias("subscribers"), "base")
    )


def _features(purposes: tuple[str, ...]) -> Iterator[tuple[str, str, Column]]:
    """(feature, item, aggregate over the subscribers of a segment)."""
    for feature, name in MEANS.items():
        yield feature, ALL, exact_mean(F.col(name))
    for name in SHARES:
        yield f"{name}_share", ALL, _share(F.col(name))
    for name in purposes:
        yield "mean_score", name, exact_mean(F.col("score")[name])
    for name in CHANNELS:
        yield "channel_share", name, _share(F.col("channel_visits")[name] > 0)
    for name in BUSINESSES:
        used = (F.col("business_events")[name] > 0) | F.array_contains("ordered_businesses", name)
        yield "business_penetration", name, _share(used)


def _share(condition: Column) -> Column:
    return F.count_if(condition) / F.count(F.lit(1))


def _aggregates(purposes: tuple[str, ...]) -> list[Column]:
    return [aggregate.alias(f"{feature}__{item}") for feature, item, aggregate in _features(purposes)]


def _unpivot(cells: DataFrame, wide: DataFrame, purposes: tuple[str, ...]) -> DataFrame:
    share = F.try_divide(F.col("subscribers"), F.col("base"))
    entries = [_entry("share", ALL, share)] + [
        _entry(feature, item, F.col(f"{feature}__{item}")) for feature, item, _ in _features(purposes)
    ]
    joined = cells.join(wide, on=CELL, how="left")
    exploded = joined.select(*CELL, "segment_name", "subscribers", F.explode(F.array(*entries)).alias("entry"))
    return exploded.select(*CELL, "segment_name", "entry.*", "subscribers")


def _entry(feature: str, item: str, value: Column) -> Column:
    return F.struct(F.lit(feature).alias("feature"), F.lit(item).alias("item"), value.cast("double").alias("value"))


def _listed(cells: DataFrame, grouped, feature: str) -> DataFrame:
    """Share of the segment's subscribers per item that occurs, e.g. the plan mix."""
    counts = grouped.agg(F.count(F.lit(1)).alias("n")).filter(F.col("item").isNotNull())
    return counts.join(cells, on=CELL, how="inner").select(
        *CELL,
        "segment_name",
        F.lit(feature).alias("feature"),
        "item",
        (F.col("n") / F.col("subscribers")).alias("value"),
        "subscribers",
    )
