"""`maintain`: upkeep of the tables. Starts no Spark."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from visitgrain.catalogue.operations import load_maintenance
from visitgrain.cli.text_table import echo_table
from visitgrain.errors import UsageError, VisitgrainError, suggestion
from visitgrain.runtime.context import Context
from visitgrain.tables import TABLES, Table

if TYPE_CHECKING:
    from visitgrain.runtime.maintenance import Report

MB = 1 << 20


@click.command()
@click.option("--table", "names", multiple=True, metavar="TABLE", help="This table only; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.pass_obj
def maintain(context: Context, names: tuple[str, ...], dry_run: bool) -> None:
    """Bring small files together, write checkpoints, remove files and commits that nobody needs any more.

    No row changes, and no period becomes due. conf/operations/maintenance.yaml says what is small and what is kept.
    """
    from visitgrain.runtime.maintenance import maintain as maintained

    policy = load_maintenance(context.conf)
    tables = [table_of(name) for name in names] or list(TABLES.values())
    found = list(
        maintained(
            context.lake_without_spark, tables, policy, run_id=context.run_id, dry_run=dry_run, now=datetime.now(UTC)
        )
    )
    reports = [one for one in found if not isinstance(one, VisitgrainError)]
    if not found:
        click.echo(f"lake {context.settings.lake}: none of these tables is there yet")
    if reports:
        echo_table(_HEADER, map(_row, reports))
        verb = "would be" if dry_run else "were"
        click.echo(
            f"{sum(r.fewer_files for r in reports)} files {verb} joined to others, "
            f"{sum(r.removed_files for r in reports)} that nobody needs {verb} removed "
            f"({sum(r.removed_bytes for r in reports) / MB:,.1f} MB)"
        )
    _raise_all([one for one in found if isinstance(one, VisitgrainError)])


_HEADER = ("table", "rows", "files", "small", "MB", "partitions", "skew", "versions", "written", "joined", "removed")


def _row(report: Report) -> tuple[object, ...]:
    return (
        report.table_name,
        report.rows,
        report.files,
        report.small_files,
        report.bytes / MB,
        report.partitions,
        report.skew,
        report.versions,
        f"{report.written_at.astimezone():%Y-%m-%d %H:%M}",
        report.fewer_files,
        report.removed_files,
    )


def table_of(name: str) -> Table:
    if name not in TABLES:
        raise UsageError(
            f"table {name!r}: there is no such table{suggestion(name, list(TABLES))}; there are {', '.join(TABLES)}"
        )
    return TABLES[name]


def _raise_all(errors: list[VisitgrainError]) -> None:
    """All messages in one; the exit code is that of the first. The other tables are done."""
    if errors:
        raise type(errors[0])("\n".join(map(str, errors)))
