"""Local days as numbers since 1970, the months they lie in, and the instants at which they begin."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

SECOND = 1_000_000  # microseconds
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH = date(1970, 1, 1)


def number_of(day: date) -> int:
    return (day - EPOCH).days


def date_of(number: int) -> date:
    return EPOCH + timedelta(days=number)


def month_number(days: np.ndarray | int) -> np.ndarray:
    """Months since January 1970."""
    return np.asarray(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def month_begins(months: np.ndarray | int) -> np.ndarray:
    """First day of months since January 1970."""
    return np.asarray(months).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def month_ends(months: np.ndarray | int) -> np.ndarray:
    """Last day of months since January 1970."""
    return month_begins(np.asarray(months) + 1) - 1


def monthly_ids(names: Iterable[str], month: int) -> list[str]:
    """Ids of what is done anew each month, such as `night_pack_202503`."""
    return [f"{name}_{date_of(int(month_begins(month))):%Y%m}" for name in names]


class LocalClock:
    """Where local days begin and which one an instant lies in, for the days `first` to `last`.

    A visit of an hour of the day starts that many elapsed hours after midnight, also when the clocks change.
    """

    def __init__(self, first: int, last: int, zone: str) -> None:
        place = ZoneInfo(zone)
        self.first = first
        self._midnights = np.array([_midnight(date_of(day), place) for day in range(first, last + 2)])

    def begin(self, days: np.ndarray) -> np.ndarray:
        """Microseconds since 1970 (UTC) at which each day begins."""
        return self._midnights[days - self.first]

    def day_of(self, micros: np.ndarray) -> np.ndarray:
        return self.first - 1 + np.searchsorted(self._midnights, micros, side="right")


def factors(seasons: Iterable[tuple[str, str, float]], days: np.ndarray) -> np.ndarray:
    """Product per day of the factors of the seasons that hold on it; see `Season` for how they are dated."""
    result = np.ones(len(days))
    for place, day in enumerate(days):
        text = date_of(int(day)).isoformat()
        for first, last, factor in seasons:
            if first <= text[-len(first) :] <= last:
                result[place] *= factor
    return result


def _midnight(day: date, zone: ZoneInfo) -> int:
    begins = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (begins - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
