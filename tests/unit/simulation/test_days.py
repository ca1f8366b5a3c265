"""Local days, months and seasons."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np

from visitgrain.simulation.days import LocalClock, factors, month_begins, month_ends, month_number, number_of

SEASONS = [("01", "03", 2.0), ("03-02", "03-08", 3.0), ("2025-03-05", "2025-03-05", 5.0)]


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def test_seasons_of_every_month_of_every_year_and_of_one_day():
    days = [date(2025, 2, 28), date(2025, 3, 1), date(2025, 3, 3), date(2025, 3, 5), date(2026, 3, 5), date(2026, 3, 9)]
    numbers = np.array([number_of(day) for day in days])
    # none · month start · month start and week · week and day · week, another year · none
    assert factors(SEASONS, numbers).tolist() == [1, 2, 2 * 3, 3 * 5, 3, 1]


def test_months():
    day = number_of(date(2024, 2, 29))
    assert month_begins(month_number(day)) == number_of(date(2024, 2, 1))
    assert month_ends(month_number(day)) == day
    assert month_begins(month_number(day) + 11) == number_of(date(2025, 1, 1))


def test_a_day_begins_and_ends_at_local_midnight():
    day = number_of(date(2025, 3, 1))
    clock = LocalClock(day - 1, day + 2, "Asia/Shanghai")
    midnight = micros("2025-02-28 16:00:00")
    assert clock.begin(np.array([day])).tolist() == [midnight]
    assert clock.day_of(np.array([midnight - 1, midnight])).tolist() == [day - 1, day]


def test_a_day_on_which_clocks_change_has_23_hours():
    day = number_of(date(2025, 3, 30))
    clock = LocalClock(day, day + 1, "Europe/Berlin")
    begin, end = clock.begin(np.array([day, day + 1]))
    assert end - begin == 23 * 3600 * 1_000_000
    assert clock.day_of(np.array([end - 1])).tolist() == [day]
