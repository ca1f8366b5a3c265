"""Lakes of measured days: simulated by the product once, with every subscriber many times."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from pyspark.sql import Column, DataFrame, functions as F

from bench.contestants import FOLDER
from bench.product import open_lake
from visitgrain.runtime.context import Context
from visitgrain.tables import TABLES

SIMULATED = 4_000
COPIED = (
    *("subscriber_days", "subscriber_slice_days", "subscriber_state"),
    *("subscriber_month", "consumption_segments", "behaviour_segments"),
)


def lake_of(subscribers: int) -> Path:
    """The lake with about so many subscribers, made once."""
    base, folder = FOLDER / "lake-metrics", FOLDER / f"lake-metrics-{subscribers}"
    if not base.exists():
        _simulate(base)
    if not folder.exists():
        shutil.copytree(base, folder)
        context = open_lake(folder)
        for name in COPIED:
            _copy(context, name, subscribers // SIMULATED - 1)
    return folder


def _simulate(lake: Path) -> None:
    command = [sys.executable, "-m", "visitgrain.cli", "--lake", str(lake)]
    command += ["--set", f"pseudonym_secret_file={FOLDER / 'secret'}"]
    feed = str(FOLDER / "metrics-feed")
    subprocess.run([*command, "demo", "--subscribers", str(SIMULATED), "--path", feed], check=True)
    subprocess.run([*command, "backfill", "monthly_metrics", "--from", "2025-01", "--to", "2025-03"], check=True)


def _copy(context: Context, name: str, copies: int) -> None:
    """Adds `copies` of each row of the table, of other subscribers."""
    table = TABLES[name]
    rows = context.lake.read(table)
    many = rows.crossJoin(F.broadcast(rows.sparkSession.range(copies).toDF("_copy")))
    moved = many.select(*(_other_id() if column == "subscriber_id" else F.col(column) for column in rows.columns))
    by_partition: DataFrame = moved.repartition(table.partition) if table.partition else moved
    context.lake.append(table, by_partition, run_id=context.run_id)


def _other_id() -> Column:
    """Of the same width: null stays null."""
    mask = F.xxhash64("_copy").bitwiseAND(F.lit(2**62 - 1))
    return F.col("subscriber_id").bitwiseXOR(mask).alias("subscriber_id")
