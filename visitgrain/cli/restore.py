"""`restore`: back to an earlier version of a table. Starts no Spark."""

from __future__ import annotations

import click

from visitgrain.cli.maintain import table_of
from visitgrain.runtime.context import Context


@click.command()
@click.argument("name", metavar="TABLE")
@click.option("--to", required=True, type=click.IntRange(min=0), help="Version, as run_ledger.output_version tells it.")
@click.pass_obj
def restore(context: Context, name: str, to: int) -> None:
    """Make a table what it was at an earlier version, also when its log is damaged: see docs/runbook.md."""
    from visitgrain.runtime.restoring import restore as restored

    table = table_of(name)
    found = restored(context.lake_without_spark, table, to, run_id=context.run_id)
    click.echo(f"{name} is what it was at version {to}: {found.rows:,} rows, now version {found.version}")
    if found.set_aside:
        click.echo(f"what its log held of later versions is in {found.set_aside}, below the lake")
    click.echo("what reads it is brought up to date by the next run of each pipeline; its own later days by their job")
