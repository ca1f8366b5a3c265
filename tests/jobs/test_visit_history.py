"""build_visits: recency, frequency and first visits, also across runs."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from jobs import build_visits, cut_visits, split_visit_days, stitch_visits
from tests.jobs.runtime_world import context
from visitgrain.runtime.context import Context
from visitgrain.runtime.runner import run_job
from visitgrain.span import Span
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.visiting import VISIT_DAYS, VISITS

MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture
def world(spark, tmp_path) -> Context:
    """An empty lake."""
    return context(spark, tmp_path / "lake")


def events_of(spark, rows: str):
    """One event per line: subscriber (- = anonymous), device, local time."""
    parsed = [line.split(maxsplit=2) for line in rows.strip().splitlines()]
    data = [(f"e{n}", None if who == "-" else int(who), device, time) for n, (who, device, time) in enumerate(parsed)]
    known = spark.createDataFrame(data, "event_id string, subscriber_id bigint, device_id string, event_time string")
    known = known.withColumn("event_time", F.col("event_time").cast("timestamp"))  # text is local time of the session
    fixed = {"channel": F.lit("app"), "event_type": F.lit("page_view"), "received_time": F.col("event_time")}
    fixed |= {"event_date": F.col("event_time").cast("date"), "source": F.lit("hand"), "load_id": F.lit("hand-1")}
    columns = [
        fixed[c.name].alias(c.name)
        if c.name in fixed
        else F.col(c.name)
        if c.name in known.columns
        else F.lit(None).cast(c.type).alias(c.name)
        for c in EVENTS.columns
    ]
    return known.select(*columns)


def visits_of(world, rows: str, span=MARCH, *, excluded: str | None = None):
    """The visits of the lake once these events came and the two jobs ran for the span."""
    events = events_of(world.spark, rows)
    if excluded:
        events = events.withColumn("exclusion", F.when(F.col("device_id") == excluded, "bot"))
    world.lake.append(EVENTS, events, run_id="feed")
    run_job(cut_visits.JOB, span, world)
    run_job(build_visits.JOB, span, world)
    run_job(stitch_visits.JOB, span, world)
    return world.lake.read(VISITS)


def test_gap_frequency_and_first_visit_follow_the_subscriber_over_devices(spark, world):
    visits = visits_of(
        world,
        """
        7 phone  2026-03-01 09:00
        7 tablet 2026-03-03 21:00
        7 phone  2026-03-31 09:00
        8 phone  2026-03-05 09:00
        -  kiosk 2026-03-05 10:00
        """,
    )
    expected = [
        # 1 March 09:00 is the first; 3 March 21:00 is 2.5 days later; 31 March 09:00 is 27.5 days after that
        (7, "2026-03-01", True, None, 1),
        (7, "2026-03-03", False, 2.5, 2),
        (7, "2026-03-31", False, 27.5, 3),  # 30 days before 31 March 09:00 is 1 March 09:00: still counted
        (8, "2026-03-05", True, None, 1),
        (None, "2026-03-05", True, None, 1),  # an anonymous visit belongs to its device
    ]
    schema = "subscriber_id bigint, day string, is_first_visit boolean, gap_days double, visits_30d int"
    got = visits.select("subscriber_id", F.col("visit_date").cast("string").alias("day"), *schema_names(schema)[2:])
    assertDataFrameEqual(got, spark.createDataFrame(expected, schema), ignoreNullable=True)


def schema_names(ddl: str) -> list[str]:
    return [part.split()[0] for part in ddl.split(",")]


def test_history_of_earlier_runs_counts_like_one_run(spark, world, tmp_path):
    early = "7 phone 2026-01-10 08:00\n7 phone 2026-02-20 08:00"
    late = "7 phone 2026-03-01 08:00\n9 phone 2026-03-02 08:00"
    # event ids differ between the two feeds, so compare what does not depend on them
    columns = ["subscriber_id", "start", "gap_days", "visits_30d", "is_first_visit"]
    visits_of(world, early, Span(date(2026, 1, 1), date(2026, 2, 27)))
    split = visits_of(world, late).select(*columns)
    other = context(spark, tmp_path / "other")
    whole = visits_of(other, f"{early}\n{late}", Span(date(2026, 1, 1), date(2026, 3, 31))).select(*columns)
    assertDataFrameEqual(split, whole)


def test_a_visit_over_midnight_starts_once_and_touches_two_days(spark, world):
    visits_of(world, "7 phone 2026-03-01 23:50\n7 phone 2026-03-02 00:10\n7 phone 2026-03-02 00:15")
    run_job(split_visit_days.JOB, MARCH, world)
    columns = ("visit_date", "day", "subscriber_id", "channel", "events", "active_events", "seconds", "is_start_day")
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    found = world.lake.read(VISIT_DAYS).select(*columns).orderBy("day").collect()
    assert [tuple(row) for row in found] == [
        (first, first, 7, "app", 1, 1, 600, True),  # 10 minutes before midnight, 15 after
        (first, second, 7, "app", 2, 2, 900, False),
    ]


def test_every_event_is_accounted_for(world):
    visits_of(
        world,
        "7 a 2026-03-01 09:00\n- a 2026-03-20 09:00\n7 a 2026-04-01 09:00\n8 b 2026-03-01 09:00",
        excluded="b",
    )
    cut, build, stitch = (entry for entry in world.ledger.entries() if entry.table_name in ("device_visits", "visits"))
    assert (cut.rows_in, cut.outcomes) == (4, {"kept": 2, "outside": 1, "excluded": 1})
    assert (build.rows_in, build.outcomes) == (1, {"kept": 1})
    assert (stitch.rows_in, stitch.outcomes) == (1, {"kept": 1})
