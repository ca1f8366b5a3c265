"""The time options of the commands, and the spans they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import click

from visitgrain.errors import UsageError
from visitgrain.span import Grain, Span

_MONTH = re.compile(r"\d{4}-\d{2}")


class Period(click.ParamType):
    """A day (2026-03-01) or a month (2026-03); the value is its span."""

    name = "day|month"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Span:
        if isinstance(value, Span):
            return value
        try:
            if _MONTH.fullmatch(value):
                return Span.month_of(date.fromisoformat(f"{value}-01"))
            day = date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a day (2026-03-01) nor a month (2026-03)", param, context)
        return Span(day, day)


def period_options(command: Callable[..., None]) -> Callable[..., None]:
    """--date, --month, or --from with --to; the command gets them as `chosen` through `span_of`."""
    for option in (
        click.option("--to", "end", type=Period(), help="Last day or month."),
        click.option("--from", "start", type=Period(), help="First day or month."),
        click.option("--month", type=Period(), help="One month, as 2026-03."),
        click.option("--date", "day", type=Period(), help="One day, as 2026-03-01."),
    ):
        command = option(command)
    return command


def span_of(grain: Grain, *, day: Span | None, month: Span | None, start: Span | None, end: Span | None) -> Span:
    """The one span that the options name; a monthly job takes the month around it. Raises UsageError."""
    ways = [day is not None, month is not None, start is not None or end is not None]
    if sum(ways) != 1:
        raise UsageError("say when: --date D, --month M, or --from D --to D (one of them)")
    span = day or month or between(start, end)
    if grain == "day":
        return span
    months = list(span.months())
    if len(months) > 1:
        raise UsageError(f"a monthly run takes one month, {span} touches {len(months)}; use backfill for several")
    return months[0]


def between(start: Span | None, end: Span | None) -> Span:
    """From the first day of `start` to the last of `end`. Raises UsageError."""
    if start is None or end is None:
        raise UsageError("--from and --to belong together")
    if start.start > end.end:
        raise UsageError(f"--from {start.start} is after --to {end.end}; swap them")
    return Span(start.start, end.end)


def shown(span: Span) -> str:
    """2026-03 for a whole month, else the days."""
    return f"{span.start:%Y-%m}" if span == Span.month_of(span.start) else str(span)


def argument(span: Span, grain: Grain, *, end: bool = False) -> str:
    """`span`'s first (or last) period as --from and --to take it."""
    day = span.end if end else span.start
    return f"{day:%Y-%m}" if grain == "month" else str(day)
