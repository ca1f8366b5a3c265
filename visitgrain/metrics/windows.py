"""Windows: which local days they hold, now and k windows ago, and which of them a run computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from visitgrain.span import Span, shifted_month
from visitgrain.tables.measuring import WindowName

EPOCH = date(1970, 1, 1)
ROLLING: dict[str, int] = {"day": 1, "week": 7, "r7": 7, "r28": 28, "r30": 30, "r90": 90}


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


@dataclass(frozen=True)
class WindowEnd:
    """One window: `name` says how long it is, `end` is its last day."""

    name: WindowName
    end: date

    def bounds(self, back: int = 0) -> Span:
        """Its days, or those of the `back`-th window before: by calendar for months, by length otherwise.

        >>> WindowEnd("month", date(2026, 3, 31)).bounds(1)
        Span(start=datetime.date(2026, 2, 1), end=datetime.date(2026, 2, 28))
        >>> WindowEnd("r7", date(2026, 3, 10)).bounds(1)
        Span(start=datetime.date(2026, 2, 25), end=datetime.date(2026, 3, 3))
        """
        if self.name == "month":
            return Span.month_of(shifted_month(self.end, -back))
        length = ROLLING[self.name]
        end = self.end - timedelta(days=length * back)
        return Span(end - timedelta(days=length - 1), end)

    def day_numbers(self, back: int = 0) -> tuple[int, int]:
        """Its first and last day, or those of the `back`-th window before."""
        days = self.bounds(back)
        return day_number(days.start), day_number(days.end)


def windows_of(names: Iterable[WindowName], span: Span) -> Iterator[WindowEnd]:
    """The windows of these names that end on a day of the span: months at their end, weeks on Sundays."""
    for day in span.days():
        for name in names:
            if name == "week" and day.isoweekday() != 7:
                continue
            if name == "month" and day != Span.month_of(day).end:
                continue
            yield WindowEnd(name, day)


def at_the_end(names: Iterable[WindowName], span: Span) -> Iterator[WindowEnd]:
    """Of each name the last window that ends in the span."""
    last: dict[str, WindowEnd] = {window.name: window for window in windows_of(names, span)}
    yield from (window for window in last.values() if window.name == "week" or window.end == span.end)
