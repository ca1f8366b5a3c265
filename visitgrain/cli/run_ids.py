"""Ids of runs, as a command line or an orchestrator gives them."""

from __future__ import annotations

import re

import click

_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~:+-]{0,199}")  # the ids that Airflow gives; safe as names of files


def checked_run_id(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """`value`, which becomes the name of a file. Raises click.BadParameter."""
    if value is not None and not _ALLOWED.fullmatch(value):
        raise click.BadParameter(
            f"{value!r}: allowed are up to 200 letters, digits and _ . ~ : + -, a letter or digit first"
        )
    return value
