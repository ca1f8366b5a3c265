"""`erase`: note who is to be erased, do it, show the proofs."""

from __future__ import annotations

from pathlib import Path

import click

from visitgrain.cli.text_table import echo_table
from visitgrain.errors import UsageError
from visitgrain.runtime.context import Context


@click.group()
def erase() -> None:
    """Erase subscribers from every table, old version, log and quarantined row; prove it."""


@erase.command("request")
@click.option("--subscriber", "subscribers", type=int, multiple=True, help="Pseudonym; may be repeated.")
@click.option(
    "--file", "path", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Pseudonyms, one per line."
)
@click.pass_obj
def request_command(context: Context, subscribers: tuple[int, ...], path: Path | None) -> None:
    """Note that subscribers are to be erased; nothing is changed before `erase run`."""
    from jobs.erase_subscribers import request

    lines = path.read_text(encoding="utf-8").split() if path else []
    if wrong := [place for place, line in enumerate(lines, 1) if not line.isdigit()]:
        raise UsageError(f"{path}:{wrong[0]}: no pseudonym; expected whole numbers, as subscriber_id holds them")
    noted = request(context, [*subscribers, *map(int, lines)])
    for request_id in noted:
        click.echo(request_id)
    click.echo(f"{len(noted)} requests noted; `visitgrain erase run` carries them out", err=True)


@erase.command("run")
@click.pass_obj
def run_command(context: Context) -> None:
    """Carry out all requests. Old versions of the tables are gone afterwards; no other command may be running."""
    from jobs.erase_subscribers import erase as erase_all

    done = erase_all(context)
    if done.rows:
        echo_table(("table", "rows removed"), sorted(done.rows.items()))
    click.echo(
        f"{done.persons} subscribers erased: {done.files_removed:,} old files deleted, {done.files_searched:,} files "
        "searched afterwards, nothing found. The next run of each pipeline brings what they touched up to date"
    )


@erase.command("proofs")
@click.pass_obj
def proofs_command(context: Context) -> None:
    """Show what was erased, when, and what the search afterwards read."""
    from visitgrain.runtime.records import records
    from visitgrain.runtime.storage import Store
    from visitgrain.tables.privacy import ERASURE_PROOFS

    rows = sorted(records(Store(context.settings.lake), ERASURE_PROOFS), key=lambda row: row["erased_at"])
    shown = [
        (
            r["request_id"],
            r["subject"],
            f"{r['erased_at']:%Y-%m-%d %H:%M}",
            sum(r["rows"].values()),
            r["files_searched"],
        )
        for r in rows
    ]
    echo_table(("request", "subject", "erased at (UTC)", "rows of the run", "files searched"), shown)
