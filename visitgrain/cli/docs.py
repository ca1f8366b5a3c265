"""`docs`: the generated pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from visitgrain.cli.discovery import discovered_jobs
from visitgrain.errors import GateRefused, UsageError

ROOT = Path(__file__).parents[2]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a page is out of date.")
def docs(check: bool) -> None:
    """Regenerate what follows from tables and the metric catalogue: pages, data contracts, schemas, columns."""
    from visitgrain.docs import generate, update_columns

    if not (ROOT / "docs").is_dir():
        raise UsageError(f"{ROOT}: not a checkout (no docs folder); run this from the repository")
    if not check and update_columns(ROOT):
        click.echo("columns of tables changed: starting again with them")
        again = [sys.executable, "-m", "visitgrain.cli", "docs"]
        sys.exit(subprocess.run(again, cwd=ROOT, check=False).returncode)
    changed = generate(ROOT, jobs=discovered_jobs().values(), check=check)
    if check and changed:
        raise GateRefused(f"generated pages are out of date: {', '.join(changed)}; run `visitgrain docs`")
    click.echo(f"{len(changed)} pages changed")
