"""Segments of a month: three levels per axis, one number per subscriber, a reason where there is none."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.segment_models import Axis, SegmentModel
from visitgrain.segments.base import NO_SNAPSHOT, in_base, is_visitor_without_snapshot, measure_of
from visitgrain.span import Span


def assign_segments(
    month_features: DataFrame, segment_cut_points: DataFrame, *, spec: SegmentModel, span: Span
) -> DataFrame:
    """One row per subscriber of the model's base: inputs, levels, segment 1-27 or the reason why there is none."""
    names = [axis.axis for axis in spec.axes]
    base = month_features.filter(in_base(spec.model)).select(
        "subscriber_id",
        F.lit(span.month).alias("month"),
        *[measure_of(axis).alias(axis.axis) for axis in spec.axes],
        F.col("score").alias("scores"),
        _missing_snapshot(spec).alias("absence"),
    )
    levelled = base.crossJoin(F.broadcast(_cut_points_in_a_row(segment_cut_points, spec))).select(
        *base.columns, *[level_of(axis).alias(f"{axis.axis}_level") for axis in spec.axes]
    )
    first, second, third = (F.col(f"{name}_level") for name in names)
    reason = F.coalesce("absence", _unknown_axes(names))
    own = ["scores"] if spec.model == "behaviour" else []
    return levelled.select(
        "subscriber_id",
        "month",
        *names,
        *[f"{name}_level" for name in names],
        (9 * (first - 1) + 3 * (second - 1) + third).alias("segment"),
        reason.alias("reason"),
        *own,
        F.lit(spec.version).alias("version"),
    )


def level_of(axis: Axis) -> Column:
    """1-3 from the axis' value and its cut points. A cut point that is null was reached by nobody."""
    value = F.col(axis.axis)
    reached = [F.coalesce(value >= F.col(f"{axis.axis}_{end}"), F.lit(False)).cast("int") for end in ("low", "high")]
    band = reached[0] + reached[1]
    level = 1 + band if axis.direction == "high_is_good" else 3 - band
    return F.when(value.isNotNull(), level)


def _cut_points_in_a_row(cut_points: DataFrame, model: SegmentModel) -> DataFrame:
    """One row with <axis>_low and <axis>_high, also when there are no cut points."""
    return cut_points.filter(F.col("model") == model.model).agg(
        *[
            F.max(F.when(F.col("axis") == axis.axis, F.col(end))).alias(f"{axis.axis}_{end}")
            for axis in model.axes
            for end in ("low", "high")
        ]
    )


def _missing_snapshot(model: SegmentModel) -> Column:
    absent = is_visitor_without_snapshot() if model.model == "consumption" else F.lit(False)
    return F.when(absent, F.lit(NO_SNAPSHOT))


def _unknown_axes(names: list[str]) -> Column:
    """'unknown age, dou'; null when all inputs are known."""
    unknown = F.array_compact(F.array(*[F.when(F.col(name).isNull(), F.lit(name)) for name in names]))
    return F.when(F.size(unknown) > 0, F.concat(F.lit("unknown "), F.array_join(unknown, ", ")))
