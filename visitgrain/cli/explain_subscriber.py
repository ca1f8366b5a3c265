"""`explain subscriber`: inputs, cut points, levels and segments of one subscriber and month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import click

from visitgrain.catalogue.segment_models import MODELS
from visitgrain.cli.audit import note_look, purpose_option
from visitgrain.cli.explain import explain
from visitgrain.runtime.context import Context
from visitgrain.segments.explain import Findings, explain_segments
from visitgrain.tables import TABLES, Table
from visitgrain.tables.segmentation import MONTH_FEATURES, SEGMENT_CUT_POINTS


@explain.command("subscriber")
@click.argument("subscriber_id", type=int)
@click.option("--month", type=click.DateTime(["%Y-%m"]), required=True, help="Month, as 2026-03.")
@purpose_option
@click.pass_obj
def explain_subscriber_command(context: Context, subscriber_id: int, month: Any, purpose: str | None) -> None:
    """Show why a subscriber is in its segments."""
    text = explain_subscriber(context, subscriber_id, month.date())
    note_look(context, "explain subscriber", subscriber_id, purpose=purpose)
    click.echo(text)


def explain_subscriber(context: Context, subscriber_id: int, month: date) -> str:
    """The explanation as text. Raises InputMissing when the month's tables were never written."""
    found = Findings(
        features=_row(context, MONTH_FEATURES, subscriber_id, month),
        segments={model: _row(context, TABLES[f"{model}_segments"], subscriber_id, month) for model in MODELS},
        cut_points=[row.asDict() for row in context.lake.read(SEGMENT_CUT_POINTS, (month, month)).collect()],
    )
    models = context.catalogue.segment_models
    return "\n".join(explain_segments(models, found, subscriber_id=subscriber_id, month=month))


def _row(context: Context, table: Table, subscriber_id: int, month: date) -> Mapping[str, Any] | None:
    rows = context.lake.read(table, (month, month)).where(f"subscriber_id = {subscriber_id}").limit(1).collect()
    return rows[0].asDict() if rows else None
