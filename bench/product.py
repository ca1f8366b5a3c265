"""The product's side: its jobs, run by its own runner on a lake of its own, with its local settings."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from pyspark.sql import functions as F

from bench.data import MONTH
from jobs import (
    assign_behaviour_segments,
    assign_consumption_segments,
    build_visits,
    cut_visits,
    fit_cut_points,
    split_open_visit_days,
    split_visit_days,
    stitch_visits,
    summarise_months,
)
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job
from visitgrain.runtime.runner import run_job
from visitgrain.runtime.settings import default_conf, resolve
from visitgrain.span import Span
from visitgrain.tables import Table

CORES = 2
SPAN = Span.month_of(date.fromisoformat(MONTH))
VISIT_JOBS: tuple[Job, ...] = (cut_visits.JOB, build_visits.JOB, stitch_visits.JOB)
SPLIT_JOBS: tuple[Job, ...] = (split_visit_days.JOB, split_open_visit_days.JOB)
SEGMENT_JOBS: tuple[Job, ...] = (
    summarise_months.JOB,
    fit_cut_points.JOB,
    assign_consumption_segments.JOB,
    assign_behaviour_segments.JOB,
)


def open_lake(folder: Path, *options: str) -> Context:
    """A context on the lake `folder`, settings as shipped for one machine. `options` are more --set pairs."""
    overrides = [f"lake={folder}", f"master=local[{CORES}]", *options]
    resolved = resolve(default_conf(), environment="local", overrides=overrides)
    return Context(resolved.settings, resolved.conf)


def load(context: Context, table: Table, files: Path) -> None:
    """Makes `table` from the made-up Parquet files. Not timed."""
    frame = context.spark.read.parquet(str(files))
    declared = {column.name: column for column in table.columns}
    columns = [F.col(name).cast(column.type).alias(name) for name, column in declared.items()]
    context.lake.replace(table, frame.select(*columns), window=None, run_id=context.run_id)


def run(context: Context, jobs: tuple[Job, ...]) -> None:
    """The month, rebuilt."""
    for job in jobs:
        run_job(job, SPAN, context)


def drop(folder: Path, jobs: tuple[Job, ...]) -> None:
    """Forget what `jobs` wrote."""
    for table in (table for job in jobs for table in job.writes):
        shutil.rmtree(folder / table.name, ignore_errors=True)
        (folder / "_receipts" / f"{table.name}.json").unlink(missing_ok=True)
