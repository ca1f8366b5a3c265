"""`export airflow`: the pipelines as a DAG file for the platform team's orchestrator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from pprint import pformat
from typing import Any

import click

from visitgrain.cli.airflow_file import AIRFLOW_FILE
from visitgrain.cli.discovery import discovered_pipelines
from visitgrain.errors import UsageError, suggestion
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Pipeline

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def export() -> None:
    """Write the pipelines down for other systems."""


@export.command()
@click.argument("names", metavar="[PIPELINE]…", nargs=-1)
@click.option("--to", "file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="DAG file to write.")
@click.option("--from", "start", type=DAY, required=True, help="First day that Airflow runs, or catches up with.")
@click.option(
    "--program", default="visitgrain", show_default=True, help="What runs a command there; may be spark-submit.sh … --"
)
@click.pass_obj
def airflow(context: Context, names: tuple[str, ...], file: Path, start: datetime, program: str) -> None:
    """Write one DAG per grain, a task per job. Without names: all pipelines but those that train or apply models."""
    text = dag_file(chosen(names), start=f"{start:%Y-%m-%d}", zone=context.settings.zone, program=program)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    click.echo(f"{file}: copy it into Airflow's DAG folder, and write it anew after an upgrade")


def chosen(names: Sequence[str]) -> list[Pipeline]:
    """Raises UsageError."""
    known = discovered_pipelines()
    for name in names:
        if name not in known:
            raise UsageError(f"no pipeline {name!r}{suggestion(name, list(known))}; there are {', '.join(known)}")
    untracked = [p.name for p in known.values() if not any(job.tracked for job in p.jobs)]
    return in_order([known[name] for name in names or untracked])


def in_order(pipelines: Sequence[Pipeline]) -> list[Pipeline]:
    """Each after those that it needs. Raises UsageError where two need each other."""
    left, done = list(pipelines), list[Pipeline]()
    while left:
        ready = next((p for p in left if not [q for q in left if q is not p and q.name in needed_by(p, left)]), None)
        if ready is None:
            raise UsageError(
                f"pipelines that need each other: {', '.join(p.name for p in left)}; name one of them only"
            )
        left.remove(ready)
        done.append(ready)
    return done


def needed_by(pipeline: Pipeline, others: Sequence[Pipeline]) -> list[str]:
    """Those of `others` with the same grain that write what `pipeline` reads and does not write itself."""
    own = {table.name for job in pipeline.jobs for table in job.writes}
    read = {read.table.name for job in pipeline.jobs for read in job.reads} - own
    return [
        other.name
        for other in others
        if other is not pipeline
        and other.grain == pipeline.grain
        and read & {table.name for job in other.jobs for table in job.writes}
    ]


def dag_file(pipelines: Sequence[Pipeline], *, start: str, zone: str, program: str) -> str:
    """The text of the DAG file: the same for the same pipelines."""
    listed: list[dict[str, Any]] = [
        {
            "name": pipeline.name,
            "grain": pipeline.grain,
            "after": needed_by(pipeline, pipelines),
            "summary": pipeline.summary,
            "jobs": [job.name for job in pipeline.jobs],
        }
        for pipeline in pipelines
    ]
    values = {"PIPELINES": listed, "ZONE": zone, "START": start, "PROGRAM": program}
    shown = {name: pformat(value, width=110, sort_dicts=False) for name, value in values.items()}
    return AIRFLOW_FILE.substitute(shown)
