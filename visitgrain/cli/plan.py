"""`jobs` and `plan`: what there is and what a run would do, without Spark."""

from __future__ import annotations

from collections.abc import Iterator

import click

from visitgrain.cli.discovery import discovered_jobs, discovered_pipelines, jobs_of, target
from visitgrain.cli.periods import period_options, shown, span_of
from visitgrain.cli.text_table import echo_table
from visitgrain.runtime.job import Job, Window, target_window
from visitgrain.span import Span
from visitgrain.tables import Table


@click.command()
def jobs() -> None:
    """List pipelines and jobs."""
    pipelines = discovered_pipelines().values()
    echo_table(
        ("pipeline", "per", "jobs"), [(p.name, p.grain, " ".join(job.name for job in p.jobs)) for p in pipelines]
    )
    click.echo()
    echo_table(
        ("job", "per", "writes", "what it does"),
        [(j.name, j.grain, " ".join(t.name for t in j.writes), j.summary) for j in discovered_jobs().values()],
    )


@click.command()
@click.argument("name", metavar="JOB|PIPELINE")
@period_options
def plan(name: str, day: Span | None, month: Span | None, start: Span | None, end: Span | None) -> None:
    """Show what a run reads and replaces, in order. Starts no Spark and touches no table."""
    found = target(name)
    span = span_of(found.grain, day=day, month=month, start=start, end=end)
    click.echo(f"{name} for {shown(span)}")
    for number, job in enumerate(jobs_of(found), start=1):
        click.echo(f"{number:>2}. {job.name}: {job.summary}")
        periods = span.periods(job.grain)  # a job by the month in a daily pipeline runs for the month
        for line in _lines(job, Span(periods[0].start, periods[-1].end)):
            click.echo(f"      {line}")


def _lines(job: Job, span: Span) -> Iterator[str]:
    for read in job.reads:
        optional = ", may be missing" if read.optional else ""
        yield f"reads    {_named(read.table, read.part)} {_shown(read.table.partition, read.of(span))}{optional}"
    for table in job.writes:
        yield f"replaces {_named(table, job.part)} {_shown(table.partition, target_window(table, span))}"


def _named(table: Table, part: str | None) -> str:
    return f"{table.name} ({part})" if part else table.name


def _shown(partition: str | None, window: Window | None) -> str:
    if window is None:
        return "(all of it)"
    first, last = window
    if first == last:
        return f"{partition} {first}"
    return f"{partition} {first or 'begin'}..{last or 'end'}"
