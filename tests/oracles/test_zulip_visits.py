"""Eight years of a real chat log: visits, visitors, visitor days, visits over midnight, as counted elsewhere."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
from pyspark.sql import functions as F

from visitgrain.catalogue.catalogue import load_catalogue
from visitgrain.span import Span
from visitgrain.tables.inputs import EVENTS
from visitgrain.visits.device_visits import to_device_visits
from visitgrain.visits.history import to_visit_days

CONF = Path(__file__).parents[2] / "conf"


def test_visits_of_the_whole_log(spark, shared, tmp_path):
    nanoseconds = pl.scan_parquet(shared / "data/zulip_lean/events.parquet")  # which Spark's own reader refuses
    nanoseconds.with_columns(pl.col("event_time_utc").dt.cast_time_unit("us")).sink_parquet(tmp_path / "log.parquet")
    log = spark.read.parquet(str(tmp_path / "log.parquet"))
    user = F.xxhash64("user_id")
    known = {
        "event_id": F.col("event_id").cast("string"),
        "seq": F.col("event_id").cast("bigint"),
        "subscriber_id": user,
        "device_id": F.col("user_id"),
        "channel": F.lit("app"),
        "event_time": F.col("event_time_utc"),
        "received_time": F.col("event_time_utc"),
        "event_type": F.lit("click"),
        "exclusion": F.when(F.col("is_bot"), "bot"),
    }
    events = log.select(*[known.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in EVENTS.columns])
    spec = load_catalogue(CONF, zone="UTC", visit_rules="default")
    built = to_device_visits(events, spec=spec, span=Span(date(2010, 1, 1), date(2030, 1, 1))).persist()
    fates = {row["_outcome"]: row["n"] for row in built.groupBy("_outcome").agg(F.sum("_rows").alias("n")).collect()}
    assert sum(fates.values()) == 956_250
    visits = built.where("_outcome = 'kept'")
    days = to_visit_days(visits)
    assert visits.count() == 316_209
    assert visits.select("subscriber_id").distinct().count() == 5_461
    assert days.where("active_events > 0").select("subscriber_id", "day").distinct().count() == 135_009
    assert days.where("NOT is_start_day").select("visit_id").distinct().count() == 1_700
    built.unpersist()
