"""`explain`: why something is as it is. Other subcommands register themselves on the group."""

from __future__ import annotations

import click

from visitgrain.cli.discovery import jobs_of, target
from visitgrain.cli.periods import period_options, span_of
from visitgrain.runtime.context import Context
from visitgrain.span import Span


@click.group()
def explain() -> None:
    """Show how a job runs, or why a subscriber is in a segment."""


@explain.command("job")
@click.argument("name", metavar="JOB|PIPELINE")
@period_options
@click.option(
    "--plan",
    "mode",
    type=click.Choice(["simple", "extended", "codegen", "cost", "formatted"]),
    default="simple",
    show_default=True,
    help="How Spark writes the plan.",
)
@click.pass_obj
def explain_job(
    context: Context,
    name: str,
    day: Span | None,
    month: Span | None,
    start: Span | None,
    end: Span | None,
    mode: str,
) -> None:
    """Physical plan of each table a job writes, with its number of shuffles. Writes nothing."""
    from visitgrain.runtime.dry_run import exchanges, frames, outputs, plan_text

    found = target(name)
    span = span_of(found.grain, day=day, month=month, start=start, end=end)
    for job in jobs_of(found):
        planned, notes = outputs(job, span, context)
        for table, frame in frames(planned).items():
            click.echo(f"{job.name} -> {table}: {exchanges(frame)} shuffles")
            click.echo(plan_text(frame, mode))
        for note in notes:
            click.echo(note)
