"""The wide table of a month, populations of a day: `python -m bench.metrics [--subscribers 50000 200000]`. Prints.

A lake of 4,000 simulated subscribers and three months is made once by the product; larger ones have every subscriber
many times, under other ids. Each size runs in a warm process (once before it counts). The wide table is also computed
one metric at a time (every tenth is measured), as separate queries would be.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

from pyspark.sql import Column, DataFrame, functions as F

from bench.contestants import FOLDER
from bench.harness import timed
from bench.product import open_lake
from jobs import compute_population_metrics, compute_subscriber_metrics
from visitgrain.metrics.plans import Plans
from visitgrain.runtime.attempt import inputs_of
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job
from visitgrain.span import Span
from visitgrain.tables import TABLES

SIMULATED = 4_000
MONTH = Span.month_of(date(2025, 3, 1))
DAY = Span(date(2025, 3, 30), date(2025, 3, 30))
COPIED = (
    *("subscriber_days", "subscriber_slice_days", "subscriber_state"),
    *("subscriber_month", "consumption_segments", "behaviour_segments"),
)
EVERY = 10  # of the metrics that are also computed alone


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.metrics", description=__doc__.splitlines()[0])
    parser.add_argument("--subscribers", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    for subscribers in arguments.subscribers:
        print(f"{subscribers} subscribers", flush=True)
        compare(open_lake(lake_of(subscribers)), arguments.runs)


def compare(context: Context, runs: int) -> None:
    """Prints the usage of both jobs, and of the wide table one metric at a time."""
    plans = replace(Plans.of_subscribers(context.catalogue), windows=("month", "r30", "r90"))
    daily = replace(Plans.daily(context.catalogue), windows=("day", "r28"))
    wide = timed("wide table", partial(computed, context, MONTH_JOB, plans, MONTH), runs)
    timed("populations of a day", partial(computed, context, DAY_JOB, daily, DAY), runs)
    alone = [
        timed(f"{metric.id} alone", partial(computed, context, MONTH_JOB, plans.only([metric.id]), MONTH), 1)
        for metric in plans.metrics[::EVERY]
    ]
    every, number = sum(usage.wall_s for usage in alone) / len(alone) * len(plans.metrics), len(plans.metrics)
    print(f"{number} separate queries: {every:.0f} s, {every / wide.wall_s:.1f} x the wide table")


MONTH_JOB, DAY_JOB = compute_subscriber_metrics.JOB, compute_population_metrics.JOB


def computed(context: Context, job: Job, plans: Plans, span: Span) -> None:
    """All columns of all rows, written nowhere."""
    rows = job.transform(**inputs_of(job, span, context.lake), spec=plans, span=span)
    rows.write.format("noop").mode("overwrite").save()


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


if __name__ == "__main__":
    main()
