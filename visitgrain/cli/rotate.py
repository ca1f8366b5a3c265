"""`rotate-pseudonyms`: another key, another pseudonym for everybody."""

from __future__ import annotations

from pathlib import Path

import click

from visitgrain.errors import UsageError
from visitgrain.runtime.context import Context


@click.command("rotate-pseudonyms")
@click.option(
    "--new-key", type=click.Path(path_type=Path, dir_okay=False), help="File of the new key; made if not there."
)
@click.option("--forget-erased", is_flag=True, help="Tombstones of the erased may end: files with them are gone.")
@click.option("--destroy-old-key", is_flag=True, help="Afterwards: the old key, and whatever is under old names.")
@click.pass_obj
def rotate_pseudonyms(context: Context, new_key: Path | None, forget_erased: bool, destroy_old_key: bool) -> None:
    """Replace every subscriber's pseudonym in every table by that of a new key; no other command may be running."""
    from jobs.rotate_pseudonyms import destroy_old_key as destroy, rotate

    if (new_key is None) != destroy_old_key:
        raise UsageError("give --new-key FILE to change the key, or afterwards --destroy-old-key")
    if new_key is None:
        for path in destroy(context):
            click.echo(f"destroyed {path} and all old versions of the tables; remove it from backups, too")
        return
    done = rotate(context, new_key, forget_erased=forget_erased)
    click.echo(
        f"{done.pseudonyms:,} pseudonyms replaced in {done.tables} tables. Look at the results, then destroy the old "
        f"key in {done.old_key}: visitgrain rotate-pseudonyms --destroy-old-key"
    )
