"""`retain`: delete what is older than the policy allows."""

from __future__ import annotations

import click

from visitgrain.cli.discovery import discovered_jobs
from visitgrain.cli.text_table import echo_table
from visitgrain.runtime.context import Context


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be deleted; delete nothing.")
@click.pass_obj
def retain(context: Context, dry_run: bool) -> None:
    """Delete rows older than conf/catalogue/retention.yaml allows, and all old versions of their tables."""
    from jobs.retain_rows import outdated, retain as delete

    found = (outdated if dry_run else delete)(context, discovered_jobs().values())
    if found:
        echo_table(
            ("table", "days", "kept from", "rows"), [(e.table.name, e.days, str(e.kept_from), e.rows) for e in found]
        )
    verb = "would be deleted" if dry_run else "deleted"
    click.echo(f"{sum(each.rows for each in found):,} rows {verb}")
