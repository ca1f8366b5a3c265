"""Rows of a day's sources -> subscriber_days and subscriber_slice_days: an aggregation per source, then a merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import partial, reduce
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pyspark.sql import DataFrame, functions as F

from visitgrain.arrow.rows import ArrowRows, TableFiles
from visitgrain.arrow.shuffle import buckets_of, exchanged, packed_by
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.measures import Measure, day_columns
from visitgrain.catalogue.metric_settings import MetricSettings
from visitgrain.catalogue.metrics import SLICES_BY_EVENT
from visitgrain.catalogue.table_columns import check_columns
from visitgrain.expressions.literal_rows import literal_rows
from visitgrain.measures.adding import added, day_rows
from visitgrain.measures.compiling import Compiler, Part
from visitgrain.measures.sources import event_rows, exposure_rows, order_rows, result_rows, visit_rows
from visitgrain.measures.subjects import KEYS, Spread
from visitgrain.span import Span
from visitgrain.tables.measuring import MEASURED_DAYS, SUBSCRIBER_DAYS

VISITS_COUNTED = ("visits", "anonymous_visits")  # each visit is in one of them
EVENTS_PER_BUCKET = 300_000
EVENTS_PER_SLICED_BUCKET = 100_000  # each of which is in some rows by slice


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


def measure_days(
    *, spec: Measured, span: Span, event_files: TableFiles, **tables: DataFrame
) -> dict[str, DataFrame | ArrowRows]:
    """subscriber_days, and measured_days with a row for every day of the span. Accounts for every visit."""
    found = Tables(**tables)
    spread = _spread(event_files, span, EVENTS_PER_BUCKET)
    return {
        SUBSCRIBER_DAYS.name: _days(found.rows(spec.settings), spec, span, spread, accounts=VISITS_COUNTED),
        MEASURED_DAYS.name: measured_days(found.events, spec.zone, span),
    }


def measure_slice_days(*, spec: Measured, span: Span, event_files: TableFiles, **tables: DataFrame) -> ArrowRows:
    """subscriber_slice_days: every row counts once for each of its attributes that has a value."""
    spread = _spread(event_files, span, EVENTS_PER_SLICED_BUCKET)
    return _days(Tables(**tables).rows(spec.settings), spec, span, spread, sliced=True)


def _spread(events: TableFiles, span: Span, each: int) -> Spread:
    days = len(list(span.days()))
    return Spread(span.start, days, buckets_of(events.rows // days, each=each))


def _days(
    sources: Mapping[str, DataFrame],
    spec: Measured,
    span: Span,
    spread: Spread,
    *,
    sliced: bool = False,
    accounts: Sequence[str] = (),
) -> ArrowRows:
    """One row per key with every day column: each source added up on its own, and the sums of all brought together."""
    told = [_told(name, rows, spec, span, sliced=sliced) for name, rows in sources.items()]
    sums = [packed_by(rows, partial(added, parts=parts, slices=slices, spread=spread)) for rows, parts, slices in told]
    packed = exchanged(reduce(DataFrame.unionByName, sums), spread.buckets)
    hows = {part.column: part.how for _, parts, _ in told for part in parts}
    columns = [(column.name, column.type) for measure in spec.measures.values() for column in day_columns(measure)]
    return ArrowRows(packed, partial(day_rows, hows=hows, columns=columns, sliced=sliced, accounts=accounts))


def _told(
    source: str, rows: DataFrame, spec: Measured, span: Span, *, sliced: bool
) -> tuple[DataFrame, list[Part], list[str] | None]:
    """Rows of the span with their keys, slices and what the measures of the source need; how these are added up; and
    the slices, None where rows are not to be told apart."""
    compiler = Compiler(rows, spec.settings.sets, spec.zone)
    measures = (measure for measure in spec.measures.values() if measure.source == source)
    parts = [part for measure in measures for part in compiler.parts(measure)]
    slices = [name for name in spec.slices if name in rows.columns] if sliced else None
    needed = (column.alias(name) for name, column in compiler.columns.items())
    in_span = rows.where(F.col("day").between(F.lit(span.start), F.lit(span.end)))
    return in_span.select(*KEYS, *(slices or ()), *needed), parts, slices


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
