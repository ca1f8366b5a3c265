"""Metrics: `python -m bench.metrics [--subscribers 50000 200000] [--runs 3] [--alone]`. Prints.

The wide table of a month (month, r30, r90) and the populations of a day (day, r28), by the product's jobs and by
DuckDB, one query a family; their values are compared. `--alone`: the wide table one metric at a time as well, as
separate queries would be (every tenth is measured). A lake of 4,000 simulated subscribers and three months is made once
by the product; larger ones have every subscriber many times, under other ids. Each side is warm, in its own process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

from bench.contestants import FOLDER
from bench.harness import timed
from bench.measure import Usage
from bench.metric_lakes import lake_of
from bench.metric_rival import DUCKDB, assert_same_populations, assert_same_values
from bench.product import open_lake
from jobs import compute_population_metrics, compute_subscriber_metrics
from visitgrain.metrics.plans import Plans
from visitgrain.runtime import partitions
from visitgrain.runtime.attempt import inputs_of
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job, target_window
from visitgrain.runtime.staging import Staged
from visitgrain.span import Span

MONTH = Span.month_of(date(2025, 3, 1))
DAY = Span(date(2025, 3, 30), date(2025, 3, 30))
WINDOWS = ("month", "r30", "r90")
DAY_WINDOWS = ("day", "r28")
EVERY = 10  # of the metrics that are also computed alone


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.metrics", description=__doc__.splitlines()[0])
    parser.add_argument("--subscribers", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--alone", action="store_true")
    arguments = parser.parse_args()
    for subscribers in arguments.subscribers:
        print(f"{subscribers} subscribers", flush=True)
        compare(lake_of(subscribers), arguments.runs, alone=arguments.alone)


def compare(lake: Path, runs: int, *, alone: bool) -> None:
    """Prints the usage of both jobs, of DuckDB, and of the wide table one metric at a time."""
    context = open_lake(lake)
    plans = replace(Plans.of_subscribers(context.catalogue), windows=WINDOWS)
    daily = replace(Plans.daily(context.catalogue), windows=DAY_WINDOWS)
    wide = timed("wide table", partial(computed, context, MONTH_JOB, plans, MONTH), runs)
    of_day = timed("populations of a day", partial(computed, context, DAY_JOB, daily, DAY), runs)
    target = FOLDER / "duckdb-metrics"
    for task, job, asked, span, usage, assert_same in (
        ("wide", MONTH_JOB, plans, MONTH, wide, assert_same_values),
        ("populations", DAY_JOB, daily, DAY, of_day, assert_same_populations),
    ):
        _against_duckdb(task, lake, target, usage, runs)
        staged = written(context, job, asked, span)
        assert_same(staged.rows(context.lake.store), target, asked)
        context.lake.discard(staged)
    if alone:
        each = [
            timed(f"{metric.id} alone", partial(computed, context, MONTH_JOB, plans.only([metric.id]), MONTH), 1)
            for metric in plans.metrics[::EVERY]
        ]
        every, number = sum(usage.wall_s for usage in each) / len(each) * len(plans.metrics), len(plans.metrics)
        print(f"{number} separate queries: {every:.0f} s, {every / wide.wall_s:.1f} x the wide table")


def _against_duckdb(task: str, lake: Path, target: Path, usage: Usage, runs: int) -> None:
    request = {"task": task, "lake": str(lake), "target": str(target), "runs": runs}
    command = [sys.executable, "-m", "bench.metric_rival"]
    told = subprocess.run(command, input=json.dumps(request), text=True, check=True, stdout=subprocess.PIPE).stdout
    other = json.loads(told.splitlines()[-1])
    print(f"{DUCKDB}, {task}: {other['wall_s']:.1f} s, {other['cpu_s']:.1f} CPU s")
    print(f"the job takes {usage.cpu_s / other['cpu_s']:.2f} x the CPU of it", flush=True)


MONTH_JOB, DAY_JOB = compute_subscriber_metrics.JOB, compute_population_metrics.JOB


def computed(context: Context, job: Job, plans: Plans, span: Span) -> None:
    """All rows computed and written to files, which are dropped."""
    context.lake.discard(written(context, job, plans, span))


def written(context: Context, job: Job, plans: Plans, span: Span) -> Staged:
    rows = job.transform(**inputs_of(job, span, context.lake), spec=plans, span=span)
    table = job.writes[0]
    replaces = partitions.in_window(target_window(table, span) or (None, None))
    return context.lake.stage(table, rows, replaces=replaces, part=job.part)


if __name__ == "__main__":
    main()
