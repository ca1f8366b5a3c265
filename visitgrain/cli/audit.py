"""`audit`: who looked at whom. No Spark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from visitgrain.cli.text_table import echo_table
from visitgrain.runtime.context import Context
from visitgrain.runtime.storage import Store

purpose_option: Callable[[Any], Any] = click.option("--purpose", help="Why you look; kept in the audit.")


def note_look(context: Context, action: str, subscriber_id: int, *, purpose: str | None) -> None:
    """Before a subscriber is shown. Raises as `audit.note`."""
    from visitgrain.runtime.audit import note, subject_of

    subject = subject_of(subscriber_id)
    note(context.settings, run_id=context.run_id, action=action, subject=subject, rows=1, purpose=purpose)


def note_export(context: Context, action: str, what: str, *, rows: int, purpose: str | None) -> None:
    """Before rows leave. Raises as `audit.note`."""
    from visitgrain.runtime.audit import note

    note(context.settings, run_id=context.run_id, action=action, subject=what, rows=rows, purpose=purpose)


@click.group()
def audit() -> None:
    """Exports, and looks at single subscribers: who, what, when and why."""


@audit.command()
@click.pass_obj
def verify(context: Context) -> None:
    """Check that no row was changed, dropped or reordered; print the hash that stands for all of them."""
    from visitgrain.runtime.audit import FIRST, verified

    rows = verified(Store(context.settings.lake))
    click.echo(f"{len(rows)} rows, none was changed; the last hash is {rows[-1]['hash'] if rows else FIRST}")


@audit.command()
@click.option("--subscriber", type=int, help="Looks at this pseudonym only.")
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=1), help="So many rows.")
@click.pass_obj
def show(context: Context, subscriber: int | None, last: int) -> None:
    """Print the newest rows."""
    from visitgrain.runtime.audit import subject_of, verified

    rows = verified(Store(context.settings.lake))
    if subscriber is not None:
        rows = [row for row in rows if row["subject"] == subject_of(subscriber)]
    names = ("seq", "at", "who", "host", "action", "subject", "rows", "purpose")
    shown = [{**row, "at": f"{row['at']:%Y-%m-%d %H:%M:%S}"} for row in rows[-last:]]
    echo_table(names, [tuple(row[name] for name in names) for row in shown])
