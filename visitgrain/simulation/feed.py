"""Writes the simulated world as a feed in files: one folder per day of delivery, and the planted truth beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, functions as F

from visitgrain.errors import UsageError
from visitgrain.simulation.billing import to_hazards, to_snapshots, to_subscriber_months
from visitgrain.simulation.delivery import GOOD, only_first_deliveries, to_deliveries, with_defects
from visitgrain.simulation.events import feed_columns, hex_of, to_event_rows, to_planned_events
from visitgrain.simulation.orders import ORDER_EVENTS, to_e_channel_orders, to_offline_orders, to_orders
from visitgrain.simulation.scripts import kinds_table, steps_table
from visitgrain.simulation.subscribers import to_subscribers
from visitgrain.simulation.visits import to_planned_visits
from visitgrain.simulation.world import World, load_world
from visitgrain.span import Span
from visitgrain.tables import Table
from visitgrain.tables.inputs import ORDERS, PRODUCTS, SUBSCRIBER_MONTH


def simulate(
    spark: SparkSession,
    *,
    subscribers: int,
    start: date,
    end: date,
    seed: int,
    out: Path,
    world: World | None = None,
) -> dict[str, int]:
    """Write the feed of `subscribers` from `start` to `end`, both included, under `out`. Returns rows per table.

    The same arguments give the same rows whatever the partitioning. Rows that would be delivered after `end` are not
    there yet. Local days are those of the session's time zone. Raises UsageError, ConfigError.
    """
    _check(subscribers, start, end, out)
    world = world or load_world()
    kinds, steps = kinds_table(spark, world), steps_table(spark, world)
    people = to_subscribers(spark.range(subscribers), world=world, start=start, end=end, seed=seed)
    months = to_subscriber_months(people, start=start, end=end)
    # Three tables grow from the visits, which are ten times fewer than events: plan them once.
    visits = to_planned_visits(people, world=world, start=start, end=end, seed=seed).persist()
    in_span = F.col("day").between(start, end)
    deliveries = to_deliveries(to_planned_events(visits, kinds=kinds, steps=steps), dirt=world.dirt).filter(in_span)
    orders = to_orders(
        _order_events(visits, world=world, kinds=kinds, steps=steps), to_offline_orders(months, world=world)
    )
    tables = {
        "events": (_event_files(deliveries, world=world, steps=steps), "day"),
        **_snapshot_files(months, start, end),
        "orders": (_conformed(orders.filter(in_span).repartition("day"), ORDERS, "day"), "day"),
        "products": (_products(spark, world), None),
        "_truth/events": (_event_truth(deliveries), None),
        "_truth/hazards": (to_hazards(months, world=world, start=start), None),
    }
    try:
        with _instants_as_micros(spark):
            written = {name: _write(frame, out / name, partition) for name, (frame, partition) in tables.items()}
    finally:
        visits.unpersist()
    return _by_table(written)


@contextmanager
def _instants_as_micros(spark: SparkSession) -> Iterator[None]:
    """Standard Parquet timestamps: Spark's default, INT96, loses the zone in every other reader."""
    name = "spark.sql.parquet.outputTimestampType"
    before = spark.conf.get(name)
    spark.conf.set(name, "TIMESTAMP_MICROS")
    try:
        yield
    finally:
        spark.conf.set(name, before)


def _check(subscribers: int, start: date, end: date, out: Path) -> None:
    if subscribers < 1:
        raise UsageError(f"simulate: --subscribers is {subscribers}; allowed: 1 or more")
    if start > end:
        raise UsageError(f"simulate: --from {start} is after --to {end}; swap them")
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"simulate: {out} is not empty; name a new folder, or remove that one")


def _event_files(deliveries: DataFrame, *, world: World, steps: DataFrame) -> DataFrame:
    # The shuffle by day carries narrow rows; the order survives the broadcast join, so the writer needs no sort.
    by_day = deliveries.repartition("day").sortWithinPartitions("day")
    rows = to_event_rows(by_day, world=world, steps=steps, keep=("label", "day"))
    return with_defects(rows).drop("label")


def _snapshot_files(months: DataFrame, start: date, end: date) -> dict[str, tuple[DataFrame, None]]:
    """One folder per month. `partitionBy` would take `month` out of the files, and a feed needs it there."""
    snapshots = _conformed(to_snapshots(months), SUBSCRIBER_MONTH)
    return {
        f"{SUBSCRIBER_MONTH.name}/month={span.month}": (snapshots.filter(F.col("month") == span.month), None)
        for span in Span(start, end).months()
    }


def _by_table(written: dict[str, int]) -> dict[str, int]:
    """Rows per table; the folders of the months count together."""
    rows: Counter[str] = Counter()
    for name, count in written.items():
        rows[name.split("/month=")[0]] += count
    return dict(rows)


def _order_events(visits: DataFrame, *, world: World, kinds: DataFrame, steps: DataFrame) -> DataFrame:
    planned = to_planned_events(visits, kinds=kinds, steps=steps.filter(F.col("event_type").isin(*ORDER_EVENTS)))
    once = only_first_deliveries(to_deliveries(planned, dirt=world.dirt))
    return to_e_channel_orders(to_event_rows(once, world=world, steps=steps, keep=("visit", "person_id", "event_us")))


def _event_truth(deliveries: DataFrame) -> DataFrame:
    """One row per delivered row that is anonymous or not simply good: who it was, and what is wrong with it."""
    told = deliveries.filter(F.col("is_anonymous") | (F.col("label") != GOOD))
    return told.select(
        hex_of(F.col("event")).alias("event_id"),
        F.timestamp_micros("received_us").alias("received_time"),
        "day",
        F.col("person_id").alias("true_subscriber_id"),
        "is_anonymous",
        "label",
    )


def _products(spark: SparkSession, world: World) -> DataFrame:
    columns = feed_columns(PRODUCTS)
    rows = [tuple(getattr(product, column.name) for column in columns) for product in world.products]
    schema = ", ".join(f"{column.name} {column.type}" for column in columns)
    return spark.createDataFrame(rows, schema).coalesce(1)


def _conformed(frame: DataFrame, table: Table, *partition: str) -> DataFrame:
    """The columns a feed has, in the declared types; what a feed does not know is null."""
    known = set(frame.columns)
    columns = (
        (F.col(column.name) if column.name in known else F.lit(None)).cast(column.type).alias(column.name)
        for column in feed_columns(table)
    )
    return frame.select(*columns, *partition)


def _write(frame: DataFrame, folder: Path, partition: str | None) -> int:
    """Write Parquet files and count their rows from the footers."""
    writer = frame.write.mode("errorifexists")
    (writer.partitionBy(partition) if partition else writer).parquet(str(folder))
    return frame.sparkSession.read.schema(frame.schema).parquet(str(folder)).count()
