"""When subscribers and segments visit: weekday x hour of visit starts, local time."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window, functions as F

from visitgrain.catalogue.segment_models import UNASSIGNED
from visitgrain.span import Span
from visitgrain.tables.segmentation import TIME_PREFERENCES


def find_time_preferences(
    visits: DataFrame, consumption_segments: DataFrame, behaviour_segments: DataFrame, *, spec: None, span: Span
) -> DataFrame:
    """One row per owner, weekday and hour with a visit. A segment's visits are those of its subscribers."""
    hours = (
        visits.filter(F.col("subscriber_id").isNotNull())
        .groupBy("subscriber_id", "weekday", "hour")
        .agg(F.count(F.lit(1)).alias("visits"))
    )
    owners = [_owned(hours, "subscriber", F.col("subscriber_id"))]
    for model, assigned in (("consumption", consumption_segments), ("behaviour", behaviour_segments)):
        joined = hours.join(assigned.select("subscriber_id", "segment"), on="subscriber_id", how="inner")
        segment = F.coalesce("segment", F.lit(UNASSIGNED)).cast("bigint")
        per_segment = joined.groupBy(segment.alias("segment"), "weekday", "hour").agg(F.sum("visits").alias("visits"))
        owners.append(_owned(per_segment, model, F.col("segment")))
    total = F.sum("visits").over(Window.partitionBy("owner_type", "owner_id"))
    return (
        reduce(DataFrame.unionByName, owners)
        .select("*", F.lit(span.month).alias("month"), (F.col("visits") / total).alias("share"))
        .select(*TIME_PREFERENCES.column_names)
    )


def _owned(hours: DataFrame, owner_type: str, owner_id: Column) -> DataFrame:
    return hours.select(F.lit(owner_type).alias("owner_type"), owner_id.alias("owner_id"), "weekday", "hour", "visits")
