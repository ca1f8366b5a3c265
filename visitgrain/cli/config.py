"""`config show`."""

from __future__ import annotations

from typing import Any

import click

from visitgrain.cli.text_table import echo_table
from visitgrain.runtime.context import Context
from visitgrain.runtime.settings import SPARK, Settings


@click.group()
def config() -> None:
    """Settings."""


@config.command()
@click.option("--origin", is_flag=True, help="Say for each value where it comes from.")
@click.pass_context
def show(click_context: click.Context, origin: bool) -> None:
    """Print every setting as it holds for this command."""
    context: Context = click_context.obj
    origins: dict[str, str] = click_context.meta["origins"]
    values = _flat(context.settings)
    if origin:
        echo_table(("setting", "value", "from"), [(name, value, origins[name]) for name, value in values.items()])
    else:
        echo_table(("setting", "value"), values.items())


def _flat(settings: Settings) -> dict[str, str]:
    """Dotted names; Spark options by their own."""
    content: dict[str, Any] = settings.model_dump(exclude={SPARK})
    named = {name: "null" if value is None else str(value) for name, value in content.items()}
    return {**named, **settings.spark_options}
