"""When silence begins after a cut-off: 28 days without an app day; the table ends on 30 April 2026."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.table_rows import found, read_rows, rows_to_frame
from visitgrain.catalogue.churn import load_churn
from visitgrain.churn.onsets import silence_onsets
from visitgrain.churn.survival import known_weeks
from visitgrain.tables.churning import ACTIVITY_DAYS, CHURN_FEATURES

SETTINGS = load_churn(Path(__file__).parents[2] / "conf" / "catalogue" / "churn", "default")
# App days of each subscriber.
DAYS = {
    1: ["01-05", "01-20", "02-10"],
    2: ["01-01", "01-15", "02-01", "02-15", "03-01", "03-15", "04-01", "04-15"],
    3: ["01-10", "02-10", "03-09", "04-05"],
    4: ["01-10", "02-07", "03-08", "04-01"],
    5: ["01-02"],
    6: ["01-30"],
    7: ["01-20"],
    8: ["01-15", "02-05", "03-01", "03-25", "04-01"],
}
# Days from the last event to the cut-off; 5 was silent already, 6 is gone.
ROWS = """
subscriber_id | month      | recency | gone | active
1             | 2026-01-01 | 11.5    | no   | yes
1             | 2026-02-01 | 18.5    | no   | yes
2             | 2026-01-01 | 16.5    | no   | yes
2             | 2026-02-01 | 13.5    | no   | yes
2             | 2026-03-01 | 16.5    | no   | yes
3             | 2026-01-01 | 21.5    | no   | yes
3             | 2026-02-01 | 18.5    | no   | yes
4             | 2026-01-01 | 21.5    | no   | yes
4             | 2026-02-01 | 21.5    | no   | yes
5             | 2026-01-01 | 29.5    | no   | yes
5             | 2026-02-01 | 57.5    | no   | no
6             | 2026-01-01 | 1.5     | yes  | yes
7             | 2026-01-01 | 11.5    | no   | yes
8             | 2026-01-01 | 16.5    | no   | yes
8             | 2026-02-01 | 23.5    | no   | yes
"""
# Of January's cut-off, 1 February, eight weeks are known: 88 days to the end, 62 of them early enough; of February's 4.
EXPECTED = [
    # subscriber, month, weeks, event, known weeks
    (1, "01", 1, 1, 8),  # silent from 11 February on, ten days after the cut-off
    (1, "02", 0, 1, 4),  # that silence is running, for 18 days: nobody knows yet
    (2, "01", 8, 0, 8),
    (2, "02", 4, 0, 4),
    (2, "03", 0, 0, 0),  # 29 days to the end: nothing can be told
    (3, "01", 0, 1, 8),  # 30 days from 11 January to 9 February, though active again
    (3, "02", 4, 0, 4),  # 26 days, then 26 days
    (4, "01", 1, 1, 8),  # 27 days from 11 January are none; 28 from 8 February are a silence
    (4, "02", 0, 1, 4),
    (7, "01", 0, 1, 8),  # web days do not count
    (8, "01", 8, 0, 8),  # from 2 April on: 60 days, in the ninth week, of which not all is known
    (8, "02", 4, 0, 4),  # 32 days, in the fifth
]


@pytest.fixture(scope="module")
def onsets(spark):
    lines = [f"{who} | 2026-{day} | app" for who, days in DAYS.items() for day in days]
    lines += [f"7 | {date(2026, 1, 21) + timedelta(n)} | web" for n in range(100)]  # until 30 April
    text = "\n".join(["subscriber_id | day | channel", *lines])
    days = rows_to_frame(spark, ACTIVITY_DAYS, read_rows(ACTIVITY_DAYS, text))
    features = rows_to_frame(spark, CHURN_FEATURES, read_rows(CHURN_FEATURES, ROWS))
    return silence_onsets(features, days, SETTINGS)


def test_weeks_until_silence(onsets):
    rows = found(onsets, "subscriber_id", "month", "weeks", "event", "known_weeks")
    assert [(who, f"{month:%m}", *rest) for who, month, *rest in rows] == EXPECTED


def test_weeks_that_are_known_are_those_of_the_arrays():
    """The day after the table ends."""
    months = np.array([f"2026-{month}" for _, month, *_ in EXPECTED], dtype="datetime64[M]")
    known = known_weeks(months, np.datetime64("2026-05-01"), SETTINGS.survival.silence_days)
    assert known.tolist() == [row[-1] for row in EXPECTED]
