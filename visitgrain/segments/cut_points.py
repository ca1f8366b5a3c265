"""Cut points of a month: fixed ones from the catalogue, fitted ones frozen by the first month that fitted them.

A fit is exact: values are rounded to three significant digits and counted, so it costs one aggregation and gives the
same answer however the rows are partitioned. (An approximate percentile depends on the partitioning.)
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window, functions as F

from visitgrain.catalogue.segment_models import SegmentModel
from visitgrain.segments.base import in_fit_base, measure_of
from visitgrain.segments.one_row import literal_rows
from visitgrain.span import Span
from visitgrain.tables.segmentation import SEGMENT_CUT_POINTS

KEY = ["model", "version", "axis"]
SIGNIFICANT_DIGITS = 3
AXIS_FIELDS = (
    ("model", "string"),
    ("version", "string"),
    ("axis", "string"),
    ("method", "string"),
    ("fixed_low", "double"),
    ("fixed_high", "double"),
    ("fit_from", "date"),
)


def fit_cut_points(
    month_features: DataFrame, segment_cut_points: DataFrame, *, spec: Mapping[str, SegmentModel], span: Span
) -> DataFrame:
    """One row per axis of each model for the month. `segment_cut_points` are those of earlier months."""
    axes = literal_rows(month_features, _axis_rows(spec), *AXIS_FIELDS)
    joined = axes.join(_frozen(segment_cut_points, axes), on=KEY, how="left").join(
        _fresh(month_features, spec), on=["model", "axis"], how="left"
    )
    fixed = F.col("method") == "fixed"
    frozen = F.col("frozen.fitted_on").isNotNull()

    def chosen(when_fixed: Column, name: str, when_fresh: Column) -> Column:
        return F.when(fixed, when_fixed).when(frozen, F.col(f"frozen.{name}")).otherwise(when_fresh).alias(name)

    columns = {
        "month": F.lit(span.month),
        "low": chosen(F.col("fixed_low"), "low", F.col("fresh.low")),
        "high": chosen(F.col("fixed_high"), "high", F.col("fresh.high")),
        "fitted_on": chosen(F.lit(None).cast("date"), "fitted_on", F.lit(span.month)),
        "subscribers": chosen(
            F.lit(0).cast("bigint"), "subscribers", F.coalesce("fresh.subscribers", F.lit(0).cast("bigint"))
        ),
    }
    return joined.select(*[columns.get(name, F.col(name)).alias(name) for name in SEGMENT_CUT_POINTS.column_names])


def _axis_rows(models: Mapping[str, SegmentModel]) -> list[tuple[object, ...]]:
    return [
        (
            model.model,
            model.version,
            axis.axis,
            axis.method,
            *(axis.fixed or (None, None)),
            f"{axis.fit_month}-01" if axis.fit_month else None,
        )
        for model in models.values()
        for axis in model.axes
    ]


def _frozen(history: DataFrame, axes: DataFrame) -> DataFrame:
    """The earliest fit of each axis since its `fit_from`. A fit on nobody binds nobody."""
    since = F.col("fit_from").isNull() | (F.col("fitted_on") >= F.col("fit_from"))
    fits = history.filter(F.col("fitted_on").isNotNull() & (F.col("subscribers") > 0))
    row = F.struct("fitted_on", "low", "high", "subscribers")
    return (
        fits.join(axes.select(*KEY, "fit_from"), on=KEY, how="inner")
        .filter(since)
        .groupBy(*KEY)
        .agg(F.min(row).alias("frozen"))
    )


def _fresh(features: DataFrame, models: Mapping[str, SegmentModel]) -> DataFrame:
    """Terciles of this month: low and high are the first values with at least 1/3 and 2/3 of the base below them."""
    values = [
        F.struct(
            F.lit(model.model).alias("model"),
            F.lit(axis.axis).alias("axis"),
            F.when(in_fit_base(model.model), measure_of(axis)).alias("value"),
        )
        for model in models.values()
        for axis in model.axes
        if axis.fit
    ]
    if not values:
        return literal_rows(features, [(None, None, None)], *FRESH_FIELDS)
    counted = (
        features.select(F.explode(F.array(*values)).alias("v"))
        .select("v.model", "v.axis", three_digits(F.col("v.value")).alias("value"))
        .filter(F.col("value").isNotNull())
        .groupBy("model", "axis", "value")
        .agg(F.count(F.lit(1)).alias("n"))
    )
    return _terciles(counted)


FRESH_FIELDS = (
    ("model", "string"),
    ("axis", "string"),
    ("fresh", "struct<low:double,high:double,subscribers:bigint>"),
)


def _terciles(counted: DataFrame) -> DataFrame:
    axis = Window.partitionBy("model", "axis")
    before = axis.orderBy("value").rowsBetween(Window.unboundedPreceding, -1)
    placed = counted.select(
        "model",
        "axis",
        "value",
        F.sum("n").over(axis).alias("total"),
        F.coalesce(F.sum("n").over(before), F.lit(0)).alias("below"),
    )
    low = F.min(F.when(3 * F.col("below") >= F.col("total"), F.col("value"))).over(axis)
    with_low = placed.select("*", low.alias("low"))
    above = (F.col("value") > F.col("low")) & (3 * F.col("below") >= 2 * F.col("total"))
    return (
        with_low.groupBy("model", "axis")
        .agg(
            F.min("low").alias("low"),
            F.min(F.when(above, F.col("value"))).alias("high"),
            F.max("total").alias("subscribers"),
        )
        .select("model", "axis", F.struct("low", "high", "subscribers").alias("fresh"))
    )


def three_digits(value: Column) -> Column:
    """Rounded to three significant digits. Only whole powers of ten enter, which doubles hold exactly."""
    exponent = F.floor(F.log10(F.abs(value))) - (SIGNIFICANT_DIGITS - 1)
    power = F.pow(F.lit(10.0), F.abs(exponent))
    rounded = F.when(exponent < 0, F.round(value * power) / power).otherwise(F.round(value / power) * power)
    return F.when(value == 0, value).otherwise(rounded)
