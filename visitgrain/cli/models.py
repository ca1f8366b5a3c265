"""`models`: the versions of the churn model, which one scores, and moving that by hand. No Spark."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from visitgrain.catalogue.churn import Tracking
from visitgrain.cli.text_table import echo_table
from visitgrain.runtime.context import Context

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from visitgrain.churn.registry import Version

SHOWN = 100  # characters of a reason in the list
reason_option = click.option("--reason", required=True, help="Why, for whoever asks later; it stays with the version.")
model_option = click.option(
    "--model",
    type=click.Choice(["churn", "return", "silence_hazard"]),
    default="churn",
    show_default=True,
    help="Whose versions.",
)
by_option = click.option("--by", default=getpass.getuser, show_default="the user of this machine", help="Who says so.")


@click.group()
def models() -> None:
    """The registered churn models: which there are, which one scores, promotion and roll-back by hand."""


@models.command("list")
@model_option
@click.pass_obj
def list_models(context: Context, model: str) -> None:
    """Print the versions, newest first."""
    from visitgrain.churn.registry import versions

    with _registry(context) as client:
        found = versions(client, model)
    if not found:
        click.echo("no version yet; `visitgrain run train_churn --month M` trains and registers one")
        return
    echo_table(("version", "aliases", "learner", "month", "AUC", "promoted", "why"), map(_row, found))


def _row(one: Version) -> tuple[str, ...]:
    tags = one.tags
    why = tags.get("why", "-")
    short = why if len(why) <= SHOWN else f"{why[: SHOWN - 1]}…"
    promoted = {"True": "yes", "False": "no"}.get(tags.get("promoted", ""), "-")
    told = (tags.get(name, "-") for name in ("learner", "month", "auc"))
    return str(one.number), " ".join(one.aliases) or "-", *told, promoted, short


@models.command()
@click.argument("version", type=int)
@model_option
@click.pass_obj
def show(context: Context, version: int, model: str) -> None:
    """Print a version's card, what the gate said, and what became of it."""
    from visitgrain.churn import registry
    from visitgrain.churn.reporting import card_of

    with _registry(context) as client:
        found = registry.version(client, version, model)
        card = card_of(client, found.run_id)
    click.echo(f"version {found.number}, aliases {', '.join(found.aliases) or 'none'}, run {found.run_id}\n")
    click.echo(found.note)
    for line in found.journal:
        click.echo(f"- {line}")
    click.echo(f"\n{card}" if card else "\nits run has no model_card.md any more")


@models.command()
@click.argument("version", type=int)
@reason_option
@by_option
@model_option
@click.pass_obj
def promote(context: Context, version: int, reason: str, by: str, model: str) -> None:
    """Make a version champion, whatever the gate said: the next scoring run uses it."""
    from visitgrain.churn import registry

    with _registry(context) as client:
        registry.promote(client, version, reason=reason, by=by, name=model)
    click.echo(f"version {version} is champion of {model}; the next run that scores uses it")


@models.command()
@click.option("--to", type=int, help="This version instead of the champion before the current one.")
@reason_option
@by_option
@model_option
@click.pass_obj
def rollback(context: Context, to: int | None, reason: str, by: str, model: str) -> None:
    """Make the former champion, or a named version, champion again: the next scoring run uses it."""
    from visitgrain.churn import registry

    with _registry(context) as client:
        version = registry.rollback(client, to, reason=reason, by=by, name=model)
    click.echo(f"version {version} is champion of {model} again; the next run that scores uses it")


@contextmanager
def _registry(context: Context) -> Iterator[MlflowClient]:
    from visitgrain.churn.tracking import tracked

    settings = context.settings
    uri, lake = settings.mlflow_uri, settings.lake
    with tracked(Tracking(uri=uri, run_id=context.run_id, lake=lake, versions={})) as client:
        yield client
