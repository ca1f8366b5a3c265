"""`device_visits` -> `visits`: each visit gets the recency and frequency of its subject and its scores."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from pyspark.sql import Column, DataFrame, Window, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.expressions.exact import DAY_US
from visitgrain.expressions.visit_scores import score_versions, visit_scores
from visitgrain.span import Span
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISIT_DAYS, VISITS

FREQUENCY_DAYS = 30


def to_visits(device_visits: DataFrame, visits: DataFrame, *, spec: Catalogue, span: Span) -> dict[str, DataFrame]:
    """`visits` and `quarantined_visits` of the days of `device_visits`; `visits` holds the earlier ones, all of them.

    A visit belongs to the history of its subscriber, else of its device. Order within a subject: (start, visit_id).
    """
    normal = device_visits.where(F.col("runaway").isNull())
    columns = [name for name in DEVICE_VISITS.column_names if name != "runaway"]
    now = normal.select(*columns, *_subject(), F.lit(False).alias("is_past"))
    rows = now.unionByName(_past_starts(visits, span), allowMissingColumns=True)
    with_history = _with_history(rows).where(~F.col("is_past"))
    return {
        VISITS.name: _scored(with_history, spec),
        QUARANTINED_VISITS.name: device_visits.where(F.col("runaway").isNotNull()).select(
            *QUARANTINED_VISITS.column_names[:-1], F.col("runaway").alias("reason")
        ),
    }


def to_visit_days(visits: DataFrame, *, spec: None = None, span: Span | None = None) -> DataFrame:
    """`visit_days`: one row per visit and local day it touches."""
    days = visits.select("visit_id", "visit_date", "subscriber_id", "channel", F.inline("days"))
    return days.select(*VISIT_DAYS.column_names[:-1], (F.col("day") == F.col("visit_date")).alias("is_start_day"))


def _subject() -> tuple[Column, Column]:
    known = F.col("subscriber_id").isNotNull()
    return (
        F.when(known, F.lit("subscriber")).otherwise(F.lit("device")).alias("subject_type"),
        F.when(known, F.col("subscriber_id")).otherwise(F.xxhash64("device_id")).alias("subject"),
    )


def _past_starts(visits: DataFrame, span: Span) -> DataFrame:
    """Of the earlier visits: all starts of the last 30 days, and each subject's latest start before them."""
    oldest = datetime.combine(span.widened(before=1 + FREQUENCY_DAYS).start, time.min) - timedelta(days=1)
    past = visits.select(*_subject(), "start", "visit_id")
    recent = F.col("start") >= F.lit(oldest.isoformat(sep=" ")).cast("timestamp")
    latest = (
        past.where(~recent).groupBy("subject_type", "subject").agg(F.max(F.struct("start", "visit_id")).alias("last"))
    )
    older = latest.select("subject_type", "subject", "last.start", "last.visit_id")
    return past.where(recent).unionByName(older).withColumn("is_past", F.lit(True))


def _with_history(rows: DataFrame) -> DataFrame:
    """Adds is_first_visit, gap_days and visits_30d. One sort serves both windows: the second orders by a prefix.

    `subject` stands first because Spark sorts by 8 bytes of the first key; those of `subject_type` tell little.
    """
    subject = Window.partitionBy("subject", "subject_type")
    recent = subject.orderBy("t").rangeBetween(-FREQUENCY_DAYS * DAY_US, Window.currentRow)
    timed = rows.withColumn("t", F.unix_micros("start"))
    ordered = timed.withColumn("former", F.lag("t").over(subject.orderBy("t", "visit_id")))
    return ordered.withColumn("visits_30d", F.count(F.lit(1)).over(recent).cast("int")).withColumns(
        {
            "is_first_visit": F.col("former").isNull(),
            "gap_days": (F.col("t") - F.col("former")) / F.lit(DAY_US),
        }
    )


def _scored(visits: DataFrame, spec: Catalogue) -> DataFrame:
    rule = F.when(F.col("subscriber_id").isNotNull(), F.lit(f"same_visit/{spec.visit_rules.version}"))
    computed = {
        "stitch_rule": rule,
        "score": visit_scores(spec.score_cards),
        "score_versions": F.lit(score_versions(spec.score_cards)),
    }
    return visits.select(*[computed[n].alias(n) if n in computed else F.col(n) for n in VISITS.column_names])
