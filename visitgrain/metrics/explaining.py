"""A metric of one subscriber, and the values that went into it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pyspark.sql import DataFrame

from visitgrain.metrics.describe import described
from visitgrain.metrics.frames import Inputs, of_subscribers
from visitgrain.metrics.inner import ORIGIN, atom
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.states import SETS
from visitgrain.metrics.subscribers import first_needed, subscriber_values
from visitgrain.metrics.windows import WindowEnd

OF_PEOPLE = ("subscriber_days", "subscriber_state", "subscriber_month", "consumption_segments", "behaviour_segments")


def explain_metric(
    tables: dict[str, DataFrame], plans: Plans, *, metric: str, subscriber_id: int, window: WindowEnd
) -> Iterator[str]:
    """Lines: the metric, its window, what was read of the subscriber, and the value."""
    own = {
        name: rows.where(f"subscriber_id = {subscriber_id}") if name in OF_PEOPLE else rows
        for name, rows in tables.items()
    }
    read = sorted({atom(found.measure, found.back, found.key) for found in plans.atoms})
    rows = of_subscribers(Inputs(**own), [window], plans)
    days = window.bounds()
    yield from described(plans.catalogue, metric)
    yield ""
    yield f"subscriber {subscriber_id}, {window.name} {days.start} to {days.end}"
    row = rows.selectExpr(*read, ORIGIN, "covered_from", f"{first_needed(plans.metrics[0], plans)} needed").first()
    if row is None:
        yield "nothing is known of this subscriber in the window, nor in a snapshot or state before it"
        return
    for name in read:
        value = _days_of(row[name], row[ORIGIN]) if name in SETS else row[name]
        yield f"  {name:<40} {'nothing' if value is None else value}"
    if row["covered_from"] is None or row["covered_from"] > row["needed"]:
        yield f"  measured from {row['covered_from']} on, needed from {row['needed']}: no value"
    found = subscriber_values(rows, plans).first()
    yield f"{metric} = {'null' if found is None or found[metric] is None else found[metric]}"


def _days_of(words: list[int] | None, origin: int) -> str:
    """The newest of a set of dates."""
    bits = [64 * i + j for i, word in enumerate(words or []) for j in range(64) if (word >> j) & 1]
    days = [date(1970, 1, 1) + timedelta(days=origin + bit) for bit in bits]
    return f"{len(days)} days, the last {', '.join(map(str, days[-10:]))}" if days else "none"
