"""Rows of a day's sources -> subscriber_days and subscriber_slice_days: an aggregation per source, then a merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import reduce
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame, functions as F
from pyspark.sql.types import DecimalType

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.measures import SNAPSHOTS, Measure
from visitgrain.catalogue.metric_settings import MetricSettings
from visitgrain.catalogue.metrics import SLICES_BY_EVENT
from visitgrain.catalogue.table_columns import check_columns
from visitgrain.expressions.literal_rows import literal_rows
from visitgrain.measures.compiling import Compiler, Summed, columns_of
from visitgrain.measures.sources import event_rows, exposure_rows, order_rows, result_rows, visit_rows
from visitgrain.span import Span
from visitgrain.tables.measuring import MEASURED_DAYS, SUBSCRIBER_DAYS, SUBSCRIBER_SLICE_DAYS

KEYS = ("subscriber_id", "day")
SLICED_KEYS = (*KEYS, "slice", "slice_value")


class Measured(NamedTuple):
    """What measuring needs of the catalogue."""

    measures: Mapping[str, Measure]
    settings: MetricSettings
    zone: str
    slices: tuple[str, ...]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Measured:
        """Raises ConfigError when the declared tables are not those of the catalogue."""
        check_columns(catalogue.metrics)
        return cls(catalogue.metrics.measures, catalogue.metrics.settings, catalogue.zone, SLICES_BY_EVENT)


class Tables(NamedTuple):
    """What a day is measured from."""

    events: DataFrame
    visits: DataFrame
    visits_around: DataFrame
    quarantined_visits: DataFrame
    numbers: DataFrame
    orders: DataFrame
    products: DataFrame
    subscriber_month: DataFrame
    campaign_results: DataFrame
    campaign_exposures: DataFrame

    def rows(self, settings: MetricSettings) -> dict[str, DataFrame]:
        """Per source of the catalogue one row per thing that is counted."""
        return {
            "visits": visit_rows(self.visits),
            "events": event_rows(
                self.events, self.visits_around, self.quarantined_visits, self.numbers, settings.releases
            ),
            "orders": order_rows(self.orders, self.products, self.subscriber_month),
            "campaign_results": result_rows(self.campaign_results),
            "campaign_exposures": exposure_rows(self.campaign_exposures),
        }


def measure_days(*, spec: Measured, span: Span, **tables: DataFrame) -> dict[str, DataFrame]:
    """subscriber_days, and measured_days with a row for every day of the span. Accounts for every visit."""
    found = Tables(**tables)
    days = merged(found.rows(spec.settings), spec, span, KEYS)
    counted = days.withColumn("_rows", F.col("visits") + F.col("anonymous_visits"))
    return {
        SUBSCRIBER_DAYS.name: counted.select(*SUBSCRIBER_DAYS.column_names, "_rows"),
        MEASURED_DAYS.name: measured_days(found.events, spec.zone, span),
    }


def measure_slice_days(*, spec: Measured, span: Span, **tables: DataFrame) -> DataFrame:
    """subscriber_slice_days: every row counts once for each of its attributes that has a value."""
    sliced = {name: _sliced(rows, spec.slices) for name, rows in Tables(**tables).rows(spec.settings).items()}
    return merged(sliced, spec, span, SLICED_KEYS).select(*SUBSCRIBER_SLICE_DAYS.column_names)


def merged(sources: Mapping[str, DataFrame], spec: Measured, span: Span, keys: Sequence[str]) -> DataFrame:
    """One row per key with every day column: each source aggregated on its own, and the results of all merged."""
    wanted = [measure for measure in spec.measures.values() if measure.source != SNAPSHOTS]
    parts: list[DataFrame] = []
    sketches: list[DataFrame] = []
    summed: list[Summed] = []
    for name, rows in sources.items():
        rows = rows.where(F.col("day").between(F.lit(span.start), F.lit(span.end)))
        measures = [measure for measure in wanted if measure.source == name]
        compiler = Compiler(rows, spec.settings.sets, spec.zone)
        columns = columns_of(measures, compiler)
        parts.append(rows.groupBy(*keys).agg(*(column.aggregate.alias(column.column) for column in columns)))
        summed += columns
        sketches += [_sketch(rows, m, compiler.bucket(m), keys) for m in measures if m.agg == "sketch"]
    together = reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), parts)
    totals = together.groupBy(*keys).agg(*(_merge(column).alias(column.column) for column in summed))
    return reduce(lambda frame, sketch: _with_sketch(frame, sketch, keys), sketches, _plain(totals))


def _plain(frame: DataFrame) -> DataFrame:
    """Exact sums as the double nearest to them."""
    exact = {f.name for f in frame.schema if isinstance(f.dataType, DecimalType)}
    return frame.select(*(F.col(n).cast("double").alias(n) if n in exact else F.col(n) for n in frame.columns))


def measured_days(events: DataFrame, zone: str, span: Span) -> DataFrame:
    """One row per day of the span: how many events it has, and up to when they were there."""
    ends = [(day, datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(zone))) for day in span.days()]
    days = literal_rows(events, ends, ("day", "date"), ("_end", "timestamp"))
    counts = events.groupBy(F.col("event_date").alias("day")).agg(
        F.count(F.lit(1)).alias("events"), F.max("received_time").alias("_last")
    )
    return days.join(F.broadcast(counts), "day", how="left").select(
        "day",
        F.coalesce("events", F.lit(0)).cast("bigint").alias("events"),
        F.least("_end", F.coalesce("_last", "_end")).alias("complete_through"),
    )[MEASURED_DAYS.column_names]


def _sliced(rows: DataFrame, slices: Sequence[str]) -> DataFrame:
    there = [name for name in slices if name in rows.columns]
    pairs = F.array(*(F.struct(F.lit(n).alias("slice"), F.col(n).alias("slice_value")) for n in there))
    named = F.filter(pairs, lambda pair: pair["slice_value"].isNotNull())
    return rows.select("*", F.inline(named))


def _merge(column: Summed) -> Column:
    value = F.col(column.column)
    if column.merge == "min":
        return F.min(value)
    return F.coalesce(F.sum(value) if column.merge == "sum" else F.max(value), F.lit(0))


def _sketch(rows: DataFrame, measure: Measure, bucket: Column, keys: Sequence[str]) -> DataFrame:
    """Per key the map bucket -> rows."""
    counts = rows.select(*keys, bucket.alias("_bucket")).where("_bucket is not null")
    counts = counts.groupBy(*keys, "_bucket").agg(F.count(F.lit(1)).alias("_n"))
    entries = F.array_sort(F.collect_list(F.struct("_bucket", "_n")))  # sorted: the map is the same on every run
    return counts.groupBy(*keys).agg(F.map_from_entries(entries).alias(measure.id))


def _with_sketch(frame: DataFrame, sketch: DataFrame, keys: Sequence[str]) -> DataFrame:
    other = sketch.select(*(F.col(key).alias(f"_{key}") for key in keys), sketch.columns[-1])
    same = reduce(lambda a, b: a & b, (F.col(key).eqNullSafe(F.col(f"_{key}")) for key in keys))
    return frame.join(other, same, how="left").drop(*(f"_{key}" for key in keys))
