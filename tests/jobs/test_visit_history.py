"""build_visits: recency, frequency and first visits, also across runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from visitgrain.catalogue.catalogue import load_catalogue
from visitgrain.span import Span
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.visiting import VISITS
from visitgrain.visits.device_visits import to_device_visits
from visitgrain.visits.history import to_visit_days, to_visits

CONF = Path(__file__).parents[2] / "conf"
MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture(scope="module")
def spec():
    return load_catalogue(CONF, zone="Asia/Shanghai", visit_rules="default")


def events_of(spark, rows: str):
    """One event per line: subscriber (- = anonymous), device, local time."""
    parsed = [line.split(maxsplit=2) for line in rows.strip().splitlines()]
    data = [(f"e{n}", None if who == "-" else int(who), device, time) for n, (who, device, time) in enumerate(parsed)]
    known = spark.createDataFrame(data, "event_id string, subscriber_id bigint, device_id string, event_time string")
    known = known.withColumn("event_time", F.col("event_time").cast("timestamp"))  # text is local time of the session
    fixed = {"channel": F.lit("app"), "event_type": F.lit("page_view"), "received_time": F.col("event_time")}
    columns = [
        fixed[c.name].alias(c.name)
        if c.name in fixed
        else F.col(c.name)
        if c.name in known.columns
        else F.lit(None).cast(c.type).alias(c.name)
        for c in EVENTS.columns
    ]
    return known.select(*columns)


def visits_of(spark, rows, spec, span=MARCH, history=None):
    cut = (
        to_device_visits(events_of(spark, rows), spec=spec, span=span)
        .where("_outcome = 'kept'")
        .drop("_rows", "_outcome")
    )
    past = history if history is not None else spark.createDataFrame([], VISITS.ddl.replace(" NOT NULL", ""))
    return to_visits(cut, past, spec=spec, span=span)["visits"]


def test_gap_frequency_and_first_visit_follow_the_subscriber_over_devices(spark, spec):
    visits = visits_of(
        spark,
        """
        7 phone  2026-03-01 09:00
        7 tablet 2026-03-03 21:00
        7 phone  2026-03-31 09:00
        8 phone  2026-03-05 09:00
        -  kiosk 2026-03-05 10:00
        """,
        spec,
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


def test_history_of_earlier_runs_counts_like_one_run(spark, spec):
    early = "7 phone 2026-01-10 08:00\n7 phone 2026-02-20 08:00"
    late = "7 phone 2026-03-01 08:00\n9 phone 2026-03-02 08:00"
    before = visits_of(spark, early, spec, span=Span(date(2026, 1, 1), date(2026, 2, 27)))
    march = Span(date(2026, 3, 1), date(2026, 3, 31))
    # event ids differ between the two feeds, so compare what does not depend on them
    columns = ["subscriber_id", "start", "gap_days", "visits_30d", "is_first_visit"]
    split = before.unionByName(visits_of(spark, late, spec, span=march, history=before)).select(*columns)
    whole = visits_of(spark, f"{early}\n{late}", spec, span=Span(date(2026, 1, 1), date(2026, 3, 31))).select(*columns)
    assertDataFrameEqual(split, whole)


def test_a_visit_over_midnight_starts_once_and_touches_two_days(spark, spec):
    visits = visits_of(spark, "7 phone 2026-03-01 23:50\n7 phone 2026-03-02 00:10\n7 phone 2026-03-02 00:15", spec)
    days = to_visit_days(visits).select(F.col("day").cast("string"), "events", "seconds", "is_start_day")
    expected = [("2026-03-01", 1, 600, True), ("2026-03-02", 2, 900, False)]  # 10 minutes before midnight, 15 after
    schema = "day string, events int, seconds bigint, is_start_day boolean"
    assertDataFrameEqual(days, spark.createDataFrame(expected, schema), ignoreNullable=True)


def test_every_event_is_accounted_for(spark, spec):
    events = events_of(spark, "7 a 2026-03-01 09:00\n7 a 2026-03-20 09:00\n7 a 2026-05-20 09:00\n8 b 2026-03-01 09:00")
    events = events.withColumn("exclusion", F.when(F.col("device_id") == "b", "bot"))
    built = to_device_visits(events, spec=spec, span=MARCH)
    counts = {row["_outcome"]: row["n"] for row in built.groupBy("_outcome").agg(F.sum("_rows").alias("n")).collect()}
    assert counts == {"kept": 2, "outside": 1, "excluded": 1}
