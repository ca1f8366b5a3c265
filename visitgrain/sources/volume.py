"""The volume gate: a day that brings nothing, or many times the usual rows, is looked at before it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from statistics import median

from visitgrain.errors import GateRefused

DAYS = 28  # days of delivery that say what is usual


def assert_usual(table: str, rows: int, by_day: Mapping[date, int], today: date, factor: float | None) -> None:
    """Raises GateRefused when `rows` more make `today` empty, or `factor` times a usual day of delivery or more.

    `by_day`: rows that earlier loads of the source brought for the table, by local day of loading. What is usual is
    the median of the newest 28 such days before today: the first day has no usual, an hourly feed is seen as days.
    """
    past = [by_day[day] for day in sorted(by_day) if day < today][-DAYS:]
    if not past or factor is None:
        return
    usual, now = median(past), rows + by_day.get(today, 0)
    if usual and not 0 < now < factor * usual:
        raise GateRefused(
            f"table {table}: {now:,} rows came today, {usual:,.0f} are usual (median of {len(past)} days of delivery); "
            f"allowed are 1 to less than {factor:g} times as many. Nothing was stored: look at the delivery, then run "
            "it again with --allow-volume if it is right (volume_factor of the source sets the limit)"
        )
