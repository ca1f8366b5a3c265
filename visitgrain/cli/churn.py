"""`churn`: the portrait of who is at risk, or went silent; the learners on any table. No Spark."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from visitgrain.churn.portrait_page import GROUPS, Language, heads, note, page, shown, title
from visitgrain.cli.text_table import echo_table
from visitgrain.errors import InputMissing
from visitgrain.runtime import delta_log
from visitgrain.runtime.context import Context
from visitgrain.runtime.storage import Store
from visitgrain.tables.churning import CHURN_PORTRAITS

HOW_MADE = "`visitgrain run churn_scoring --month M` makes it"
COLUMNS = [name for name in CHURN_PORTRAITS.column_names if name != "month"]  # the month is in the file's path


@click.group()
def churn() -> None:
    """Who is at risk of silence, and how they differ."""


@churn.command()
@click.option("--month", type=click.DateTime(["%Y-%m"]), required=True, help="Month of the scores, as 2026-03.")
@click.option("--group", type=click.Choice(list(GROUPS)), default="high", show_default=True, help="Who is shown.")
@click.option("--top", default=20, show_default=True, type=click.IntRange(min=1), help="So many differences.")
@click.option("--format", "form", type=click.Choice(["text", "html"]), default="text", show_default=True)
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file instead of standard output.")
@click.pass_obj
def portrait(
    context: Context, month: datetime, group: str, top: int, form: str, language: Language, out: Path | None
) -> None:
    """Show how a group differs from the others, what differs most first."""
    rows = portrait_rows(Store(context.settings.lake), month.date(), group)[:top]
    with click.open_file(str(out or "-"), "w", encoding="utf-8") as stream:
        if form == "html":
            click.echo(page(rows, group, month.date(), language), nl=False, file=stream)
        else:
            click.echo(f"{title(group, language)}\n{note(rows, month.date(), language)}\n", file=stream)
            echo_table(heads(language), [shown(row, language) for row in rows], file=stream)


@churn.command("cross-validate")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--label", required=True, help="Column that tells who churned: yes, true or 1; all else stayed.")
@click.option("--leave-out", multiple=True, metavar="COLUMN", help="Not a feature; may be repeated.")
@click.option("--folds", default=5, show_default=True, type=click.IntRange(min=2))
@click.option("--repeats", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True)
def cross_validate(file: Path, label: str, leave_out: tuple[str, ...], folds: int, repeats: int, seed: int) -> None:
    """Judge the learners on any table of one row per customer, Parquet or CSV: means over the test folds."""
    from visitgrain.churn.table_source import MEASURES, cross_validated, panel_from, summary

    found = summary(cross_validated(panel_from(file, label, leave_out), folds=folds, repeats=repeats, seed=seed))
    echo_table(("learner", *MEASURES), [(name, *texts) for name, texts in found.items()])


def portrait_rows(store: Store, month: date, group: str) -> list[dict[str, Any]]:
    """In order of rank. Raises InputMissing with what is there instead."""
    version = delta_log.verified_version(store, CHURN_PORTRAITS)
    if version == delta_log.NO_VERSION:
        raise InputMissing(f"table {CHURN_PORTRAITS.name}: not in {store.root} yet; {HOW_MADE}")
    there = delta_log.snapshot(store, CHURN_PORTRAITS, version)
    files = there.only(lambda day: day == month).files
    if not files:
        months = sorted({f"{file.partition:%Y-%m}" for file in there.files if file.partition})
        held = f"there are {', '.join(months)}" if months else "there is none at all"
        raise InputMissing(f"table {CHURN_PORTRAITS.name}: no portrait of {month:%Y-%m}; {held}; {HOW_MADE}")
    # File by file: deltalake's own reader leaves threads that abort the process at its end.
    tables = [store.read_parquet(f"{CHURN_PORTRAITS.name}/{file.path}", COLUMNS) for file in files]
    rows = [row for table in tables for row in table.to_pylist()]
    own = sorted((row for row in rows if row["group"] == group), key=lambda row: row["rank"])
    if not own:
        groups = ", ".join(sorted({row["group"] for row in rows}))
        raise InputMissing(
            f"portrait of {month:%Y-%m}: nothing about {group}, only {groups}: fewer than ten subscribers, or who went "
            "silent in the month is not known before it is over"
        )
    return own
