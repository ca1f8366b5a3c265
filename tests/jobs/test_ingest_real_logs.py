"""The shipped mappings take real logs over; what a row becomes is checked on known rows and totals."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from pyspark.sql import functions as F

from jobs.ingest_source import ingest
from tests.jobs.runtime_world import context
from visitgrain.tables.inputs import EVENTS, ORDERS


@pytest.fixture
def made(spark, tmp_path):
    return context(spark, tmp_path / "lake", pseudonym_secret_file=tmp_path / "key")


def outcomes(result):
    return [table.outcomes for table in result.tables]


def test_zulip(made, shared, tmp_path):
    whole = pl.scan_parquet(shared / "data/zulip_lean/events.parquet")
    first, last = datetime(2025, 2, 27, tzinfo=UTC), datetime(2025, 3, 3, tzinfo=UTC)
    part = whole.filter(pl.col("event_time_utc").is_between(first, last)).collect()
    part.write_parquet(tmp_path / "events.parquet")
    assert outcomes(ingest(made, source="zulip", path=tmp_path / "events.parquet")) == [{"kept": part.height}]
    events = made.lake.read(EVENTS)
    found = events.agg(
        F.count_distinct("subscriber_id").alias("users"),
        F.count_if(F.col("exclusion") == "bot").alias("bots"),
        F.sum(F.col("props")["text_len"].cast("bigint")).alias("text_len"),
        F.sum(F.unix_micros("event_time").cast("decimal(38,0)")).alias("times"),
    ).first()
    assert found.users == part["user_id"].n_unique()
    assert found.bots == part["is_bot"].sum()
    assert found.text_len == part["text_len"].sum()
    assert int(found.times) == sum(part["event_time_utc"].dt.epoch("us").to_list())


def test_web_access(made, shared):
    path = shared / "data/web_access_apache/events.parquet"
    rows = pl.read_parquet(path)
    assert outcomes(ingest(made, source="web_access_apache", path=path)) == [
        {"kept": rows.n_unique(), "duplicate": rows.height - rows.n_unique()}  # no ids: equal lines are one
    ]
    kinds = {row.event_type: row["count"] for row in made.lake.read(EVENTS).groupBy("event_type").count().collect()}
    assert kinds["error"] == rows.unique().filter(pl.col("status") >= 500).height
    assert set(kinds) == {"error", "impression", "page_view"}


def test_online_retail(made, shared, tmp_path):
    path = tmp_path / "lines.parquet"
    rows = pl.read_parquet(shared / "data/online_retail/transactions.parquet").head(20_000)
    rows.write_parquet(path)
    result = ingest(made, source="online_retail", path=path)
    orders, events = (table.outcomes for table in result.tables)
    without_customer = rows["CustomerID"].null_count()
    adjusted = rows.filter((pl.col("Quantity") < 0) & ~pl.col("InvoiceNo").str.starts_with("C"))
    assert orders["filtered:stock_adjustment"] == adjusted.height
    assert orders["kept"] == rows.unique().height - adjusted.unique().height
    assert events["filtered:no_customer"] == without_customer
    line = made.lake.read(ORDERS).where("order_id like '536365/85123A/%'")
    first = line.select("amount_fen", "status", F.date_format("order_time", "HH:mm").alias("clock")).first()
    # 6 x 2.55 pounds; 08:26 in London is 16:26 in Shanghai
    assert tuple(first) == (1530, "paid", "16:26")
    cancelled = made.lake.read(ORDERS).where("status = 'cancelled'").agg(F.max("amount_fen")).first()[0]
    assert cancelled <= 0
