"""Where the subscribers of each segment went: last month's segments against this month's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame, Window, functions as F

from visitgrain.catalogue.segment_models import UNASSIGNED
from visitgrain.span import Span

ABSENT = -1  # not in the base of that month: joined (before) or left (now)


def trace_migrations(
    consumption_before: DataFrame,
    behaviour_before: DataFrame,
    consumption_segments: DataFrame,
    behaviour_segments: DataFrame,
    *,
    spec: None,
    span: Span,
) -> DataFrame:
    """One row per model and pair of segments that occurs. Rows sum to last month's base, columns to this month's."""
    before = _stacked({"consumption": consumption_before, "behaviour": behaviour_before}, "segment_before")
    now = _stacked({"consumption": consumption_segments, "behaviour": behaviour_segments}, "segment_now")
    pairs = before.join(now, on=["model", "subscriber_id"], how="full").select(
        "model",
        F.coalesce("segment_before", F.lit(ABSENT)).alias("segment_before"),
        F.coalesce("segment_now", F.lit(ABSENT)).alias("segment_now"),
    )
    counts = pairs.groupBy("model", "segment_before", "segment_now").agg(F.count(F.lit(1)).alias("subscribers"))
    row_sum = F.sum("subscribers").over(Window.partitionBy("model", "segment_before"))
    return counts.select(
        F.lit(span.month).alias("month"),
        "model",
        "segment_before",
        "segment_now",
        "subscribers",
        (F.col("subscribers") / row_sum).alias("share_of_before"),
    )


def _stacked(assigned: Mapping[str, DataFrame], name: str) -> DataFrame:
    """One row per model and subscriber of its base; the unassigned have segment 0."""
    frames = [
        rows.select(F.lit(model).alias("model"), "subscriber_id", F.coalesce("segment", F.lit(UNASSIGNED)).alias(name))
        for model, rows in assigned.items()
    ]
    return reduce(DataFrame.unionByName, frames)
