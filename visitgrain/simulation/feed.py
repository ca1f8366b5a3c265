"""Writes the simulated world as a feed in files: one folder per day of delivery, and the planted truth beside it."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from visitgrain.errors import UsageError
from visitgrain.simulation.columns import conformed, feed_schema
from visitgrain.simulation.files import UNFINISHED, parts_writer, write_file
from visitgrain.simulation.parts import Feed
from visitgrain.simulation.world import World, load_world
from visitgrain.span import Span
from visitgrain.tables.inputs import PRODUCTS

PLACEMENTS = pa.schema(
    [
        ("touchpoint_id", pa.string()),
        ("placement", pa.string()),
        ("position", pa.int32()),
        ("examination", pa.float64()),
        ("product_id", pa.string()),
        ("attraction", pa.float64()),
        ("propensity", pa.float64()),
    ]
)


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
    there yet. Local days are those of the session's time zone. The folder must be one that all workers see, as the
    files are written where their rows are computed. Raises UsageError, ConfigError.
    """
    _check(subscribers, start, end, out)
    zone = str(spark.conf.get("spark.sql.session.timeZone"))
    feed = Feed(subscribers, Span(start, end), seed, zone, world or load_world())
    folder = out.absolute()
    rows: Counter[str] = Counter()
    for name, table in (("products", to_product_rows(feed.world)), ("_truth/placements", to_placements(feed.world))):
        write_file(table, folder, f"{name}/all.parquet")
        rows[name] = table.num_rows
    parts = spark.range(0, feed.parts, 1, feed.parts)  # a task each: what is repeated after a failure is one part
    written = parts.mapInArrow(parts_writer(feed, str(folder)), "table string, rows bigint")
    for row in written.collect():  # a few per part
        rows[row["table"]] += row["rows"]
    shutil.rmtree(folder / UNFINISHED)
    return dict(sorted(rows.items()))


def to_product_rows(world: World) -> pa.Table:
    """`products`: one row per product."""
    columns = feed_schema(PRODUCTS).names
    return conformed({name: pa.array([getattr(p, name) for p in world.products]) for name in columns}, PRODUCTS)


def to_placements(world: World) -> pa.Table:
    """Truth: one row per placement, position and product. Clicks per impression = examination x attraction."""
    rows = [
        {
            "touchpoint_id": f"{name}_{position}",
            "placement": name,
            "position": position,
            "examination": examination,
            "product_id": product,
            "attraction": attraction,
            "propensity": 1 / len(placement.attraction),
        }
        for name, placement in world.placements.items()
        for position, examination in enumerate(placement.examination, start=1)
        for product, attraction in placement.attraction.items()
    ]
    return pa.Table.from_pylist(rows, schema=PLACEMENTS)


def _check(subscribers: int, start: date, end: date, out: Path) -> None:
    if subscribers < 1:
        raise UsageError(f"simulate: --subscribers is {subscribers}; allowed: 1 or more")
    if start > end:
        raise UsageError(f"simulate: --from {start} is after --to {end}; swap them")
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"simulate: {out} is not empty; name a new folder, or remove that one")
