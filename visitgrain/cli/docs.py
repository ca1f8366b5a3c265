"""`docs`: the generated pages."""

from __future__ import annotations

from pathlib import Path

import click

from visitgrain.cli.discovery import discovered_jobs
from visitgrain.errors import GateRefused, UsageError


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a page is out of date.")
def docs(check: bool) -> None:
    """Regenerate table pages and data contracts under docs/generated of the checkout."""
    from visitgrain.docs import generate

    root = Path(__file__).parents[2]
    if not (root / "docs").is_dir():
        raise UsageError(f"{root}: not a checkout (no docs folder); run this from the repository")
    changed = generate(root, jobs=discovered_jobs().values(), check=check)
    if check and changed:
        raise GateRefused(f"generated pages are out of date: {', '.join(changed)}; run `visitgrain docs`")
    click.echo(f"{len(changed)} pages changed")
