"""`metrics explain`: a metric of one subscriber, with the values that went into it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from visitgrain.cli.audit import note_look, purpose_option
from visitgrain.cli.metrics import DAY, check_ids, metrics
from visitgrain.errors import UsageError
from visitgrain.metrics.windows import WindowEnd, windows_of
from visitgrain.runtime.context import Context
from visitgrain.span import Span
from visitgrain.tables.measuring import WINDOWS


@metrics.command("explain")
@click.argument("metric", metavar="ID")
@click.option("--subscriber", "subscriber_id", type=int, required=True, help="Pseudonym of the subscriber.")
@click.option("--window", type=click.Choice(WINDOWS), required=True, help="Length of the window.")
@click.option("--date", "day", type=DAY, required=True, help="Last day of the window.")
@purpose_option
@click.pass_obj
def explain(context: Context, metric: str, subscriber_id: int, window: Any, day: datetime, purpose: str | None) -> None:
    """Show the formula, what was measured of a subscriber in the window, and the value."""
    from jobs import compute_subscriber_metrics  # here: other commands start no Spark, and load none of it
    from visitgrain.metrics.explaining import explain_metric
    from visitgrain.metrics.plans import Plans
    from visitgrain.runtime.attempt import inputs_of

    catalogue = context.catalogue
    check_ids(catalogue.metrics, [metric])
    found = catalogue.metrics.metrics[metric]
    if not found.of_subscribers:
        raise UsageError(f"{metric} has no value for one subscriber; `visitgrain metrics export` shows populations")
    span = Span(day.date(), day.date())
    if WindowEnd(window, day.date()) not in windows_of([window], span):
        raise UsageError(f"no {window} ends on {day:%Y-%m-%d}; name its last day")
    if window not in found.windows:
        raise UsageError(f"{metric} has no window {window!r}; its windows: {', '.join(found.windows)}")
    tables = inputs_of(compute_subscriber_metrics.JOB, span, context.lake)
    plans = Plans(catalogue.metrics, catalogue.zone, (metric,), (window,))
    end = WindowEnd(window, day.date())
    lines = explain_metric(tables, plans, metric=metric, subscriber_id=subscriber_id, window=end)  # type: ignore[arg-type]
    text = "\n".join(lines)
    note_look(context, f"metrics explain {metric}", subscriber_id, purpose=purpose)
    click.echo(text)
