"""A span of local days: the unit in which jobs run."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Grain = Literal["day", "month"]
DAY_US = 86_400_000_000  # microseconds of 24 hours


def shifted_month(day: date, months: int) -> date:
    """First day of the month that lies `months` after (before, where negative) that of `day`."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def month_end_before(day: date) -> date:
    """The last day of the month before that of `day`."""
    return day.replace(day=1) - timedelta(days=1)


@dataclass(frozen=True, order=True)
class Span:
    """Local days from `start` to `end`, both included."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"a span ends before it starts: {self}")

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start}..{self.end}"

    @classmethod
    def month_of(cls, day: date) -> Span:
        last = calendar.monthrange(day.year, day.month)[1]
        return cls(day.replace(day=1), day.replace(day=last))

    @property
    def month(self) -> date:
        return self.start.replace(day=1)

    @property
    def length(self) -> int:
        """Days in it."""
        return (self.end - self.start).days + 1

    def widened(self, *, before: int = 0, after: int = 0) -> Span:
        return Span(self.start - timedelta(days=before), self.end + timedelta(days=after))

    def days(self) -> Iterator[date]:
        return (self.start + timedelta(days=n) for n in range(self.length))

    def periods(self, grain: Grain) -> list[Span]:
        """The days, or the whole months, that the span touches."""
        return list(self.months()) if grain == "month" else [Span(day, day) for day in self.days()]

    def months(self) -> Iterator[Span]:
        """The whole months that the span touches."""
        day = self.month
        while day <= self.end:
            yield Span.month_of(day)
            day = Span.month_of(day).end + timedelta(days=1)
