"""Events and visits of a day -> activity_days: what habits are read from."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.metric_settings import Release
from visitgrain.measures.sources import OTHER, event_rows
from visitgrain.span import Span
from visitgrain.tables.churning import ACTIVITY_DAYS
from visitgrain.tables.vocabulary import ACTIVE_TYPES

GRAIN = ("subscriber_id", "day", "channel")
NIGHT = "hour(event_time) >= 23 or hour(event_time) < 6"


class Releases(NamedTuple):
    """What telling events apart needs of the catalogue."""

    releases: tuple[Release, ...]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Releases:
        return cls(catalogue.metrics.settings.releases)


def collect_activity_days(
    *,
    events: DataFrame,
    visits_around: DataFrame,
    quarantined_visits: DataFrame,
    numbers: DataFrame,
    spec: Releases,
    span: Span,
) -> DataFrame:
    """One row per subscriber, local day and channel with an active event. An event is of whoever its visit is of."""
    rows = event_rows(events, visits_around, quarantined_visits, numbers, spec.releases)
    in_span = F.col("day").between(F.lit(span.start), F.lit(span.end))
    active = rows.where(in_span & ~F.col(OTHER) & F.col("event_type").isin(*ACTIVE_TYPES))
    # By page first: a set of pages that grows while rows are added up is no match for a hash aggregation of numbers.
    clicked = F.expr("if(event_type = 'click', touchpoint_id, null)").alias("touchpoint")
    by_page = active.groupBy(*GRAIN, "page", clicked).agg(
        F.count(F.lit(1)).alias("events"),
        F.count_if(F.expr(NIGHT)).alias("night_events"),
        F.min("event_time").alias("first_time"),
        F.max("event_time").alias("last_time"),
    )
    days = by_page.groupBy(*GRAIN).agg(
        F.sum("events").alias("events"),
        F.sum("night_events").alias("night_events"),
        F.min("first_time").alias("first_time"),
        F.max("last_time").alias("last_time"),
        _hashes("page", "pages"),
        _hashes("substring_index(page, '/', 1)", "sections"),
        F.array_sort(F.collect_set("touchpoint")).alias("touchpoints"),
    )
    opened = visits_around.where("subscriber_id is not null").groupBy(
        "subscriber_id", F.col("visit_date").alias("day"), "channel"
    )
    starts = opened.agg(F.count(F.lit(1)).alias("visits"))
    found = days.join(starts, list(GRAIN), how="left").withColumn("visits", F.coalesce("visits", F.lit(0)))
    return found.select(*ACTIVITY_DAYS.column_names)


def _hashes(text: str, name: str) -> Column:
    return F.array_sort(F.collect_set(F.expr(f"if(page is null, null, xxhash64({text}))"))).alias(name)
