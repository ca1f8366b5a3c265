"""`ingest`, `requarantine`, `admit-late` and `simulate`: where events come from."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from visitgrain.cli.periods import Period
from visitgrain.cli.text_table import echo_table
from visitgrain.runtime.context import Context
from visitgrain.span import Span

KEPT = "kept"
_NOTES = {"rescued": "with fields that the mapping does not know", "skewed": "of devices whose clock is a day off"}
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--source", required=True, help="Name of a mapping, conf/sources/NAME.yaml.")
@click.option("--path", required=True, type=click.Path(path_type=Path), help="File or folder to take over.")
@click.option("--again", is_flag=True, help="Take back what these files brought before: the mapping was corrected.")
@click.option("--allow-volume", is_flag=True, help="Take over an unusual number of rows: the delivery was looked at.")
@click.pass_obj
def ingest(context: Context, source: str, path: Path, again: bool, allow_volume: bool) -> None:
    """Take over new files of a foreign log, each once; refused rows go to quarantined_events."""
    from jobs import ingest_source

    result = ingest_source.ingest(context, source=source, path=path, again=again, allow_volume=allow_volume)
    for line in result.refused:
        click.echo(line, err=True)
    if result.unread:
        click.echo(
            f"columns that the mapping neither reads nor ignores: {', '.join(result.unread)}; of events they are in "
            "`rescued`"
        )
    rows = [
        (table.table, outcome, rows, table.version)
        for table in result.tables
        for outcome, rows in table.outcomes.items()
        if rows or outcome == KEPT
    ]
    if rows:
        echo_table(("table", "outcome", "rows", "version"), rows)
    for table in result.tables:
        for note, number in table.notes.items():
            click.echo(f"{table.table}: {number:,} rows {_NOTES.get(note, note.replace(':', ' as '))}")
    if late := sum(table.outcomes.get("late", 0) for table in result.tables):
        days = context.settings.late_horizon_days
        click.echo(
            f"{late} events came more than {days} days after they happened: late_events; see `visitgrain admit-late`"
        )
    click.echo(f"{len(result.files)} files taken over, {len(result.skipped)} were known, {len(result.refused)} refused")


@click.command("admit-late")
@click.option("--from", "start", type=Period(), help="First day or month the events happened on.")
@click.option("--to", "end", type=Period(), help="Last day or month.")
@click.pass_obj
def admit_late(context: Context, start: Span | None, end: Span | None) -> None:
    """Take late events over into the events, as if they had been on time; all of them without --from and --to."""
    from jobs.admit_late import admit

    moved = admit(context, first=start.start if start else None, last=end.end if end else None)
    click.echo(f"{moved} late events admitted; the next run of each pipeline brings the days they touch up to date")


@click.command()
@click.option("--reason", required=True, help="As quarantined_events says it, e.g. type:step_no.")
@click.option("--fixed-by", required=True, help="What was corrected, and by whom: it stays with the rows.")
@click.option("--source", help="Rows of this source only.")
@click.option("--table", help="Rows for this table only.")
@click.pass_obj
def requarantine(context: Context, reason: str, fixed_by: str, source: str | None, table: str | None) -> None:
    """Map refused rows again after the mapping was corrected; rows that pass are taken over once."""
    from jobs.requarantine import requarantine as replay

    replayed = replay(context, reason=reason, fixed_by=fixed_by, source=source, table=table)
    rows = [
        (part.source, part.table, outcome, number)
        for part in replayed
        for outcome, number in (part.result.outcomes.items() if part.result else ())
        if number
    ]
    if rows:
        echo_table(("source", "table", "outcome", "rows"), rows)
    if not_whole := sum(part.not_whole for part in replayed):
        click.echo(
            f"{not_whole:,} rows stay refused: the quarantine does not hold all of them (cut at 64 KiB, no text, or "
            "the file ended early); deliver their files again with `visitgrain ingest --again`"
        )


@click.command()
@click.option("--subscribers", required=True, type=click.IntRange(min=1), help="Size of the world.")
@click.option("--from", "start", type=DAY, required=True, help="First day.")
@click.option("--to", "end", type=DAY, required=True, help="Last day.")
@click.option("--seed", default=1, show_default=True, help="Another seed, another world.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the feed.")
@click.pass_obj
def simulate(context: Context, subscribers: int, start: datetime, end: datetime, seed: int, out: Path) -> None:
    """Write the feed of a simulated world, the same for a seed on any machine."""
    from visitgrain.simulation import simulate as simulated
    from visitgrain.simulation.world import load_world

    world = load_world(context.conf / "simulation.yaml")
    first, last = start.date(), end.date()
    written = simulated(context.spark, subscribers=subscribers, start=first, end=last, seed=seed, out=out, world=world)
    echo_table(("table", "rows"), written.items())
    click.echo(f"wrote {out}")
