"""Change moments: who falls far below the own habit, with the arithmetic beside it."""

from __future__ import annotations

import numpy as np
import pytest

from visitgrain.catalogue.churn import ChangeMoment
from visitgrain.churn.change_moment import READS, change_moments

SETTINGS = ChangeMoment(limit=0.01, min_days=5)
NAN = np.nan
CASES = [
    # recency, tenure, day_7, day_30, day_90, day_180, gap_mean, gap_max; reason
    # as always: 15 of 90 in 30 days is one in six
    ((0.5, 400, 4, 15, 45, 90, 2, 6), None),
    # 3 of 90, where 87 in 150 days make 17.4 usual: Binomial(90, 1/6) gives 3 or fewer a chance of .0001
    ((1, 400, 2, 3, 60, 90, 2, 6), "active days in the last 30 days: 3, usual: 17.4"),
    # every other day in the quarter, none in the last week: (83/90)^42 = .033, not yet
    ((7.5, 400, 0, 12, 42, 90, 2, 8), None),
    # nearly every day of the quarter, one in the last week: Binomial(81, 7/90) gives 1 or fewer .011; none has .0014
    ((1, 400, 1, 24, 81, 170, 1.06, 8), None),
    ((7.5, 400, 0, 23, 81, 170, 1.06, 8), "active days in the last 7 days: 0, usual: 6.8"),
    # away for 25 days, mean gap 4, never longer than 10: exp(-25/4) = .0019 times 3 is .006
    ((25, 400, 0, 3, 16, 31, 4, 10), "days since the last event: 25, longest gap before: 10"),
    # for 19 days: exp(-19/4) = .0087 alone is below the limit, but three questions were asked
    ((19, 400, 0, 5, 16, 31, 4, 10), None),
    # the wait of 25 days is nothing new for who was away for 30 days
    ((25, 400, 0, 3, 16, 31, 4, 30), None),
    # new: the 10 days before the last 30 are no habit; against the month and a half Binomial(20, 7/40) gives .12
    ((3, 40, 1, 2, 20, 20, 2, 6), None),
    # no habit: four days in half a year
    ((29, 400, 0, 1, 2, 4, 1, 2), None),
    # one active day ever: no gap
    ((20, 20, 0, 1, 1, 1, NAN, NAN), None),
]


def columns(rows):
    return dict(zip(READS, np.array(rows, dtype=float).T, strict=True))


@pytest.mark.parametrize(("row", "reason"), CASES)
def test_cases(row, reason):
    found = change_moments(columns([row]), SETTINGS)
    assert found.flag.tolist() == [reason is not None]
    assert found.reason.tolist() == [reason]


def test_reasons_are_told_in_chinese_too():
    found = change_moments(columns([row for row, _ in CASES]), SETTINGS).reason_zh.tolist()
    assert [reason for reason in found if reason] == [
        "近30天活跃天数：3，平时：17.4",
        "近7天活跃天数：0，平时：6.8",
        "距上次活动天数：25，此前最长间隔：10",
    ]
    assert [reason is None for reason in found] == [reason is None for _, reason in CASES]


def test_rows_do_not_know_of_each_other():
    together = change_moments(columns([row for row, _ in CASES]), SETTINGS)
    assert together.reason.tolist() == [reason for _, reason in CASES]


def test_a_steady_habit_is_rarely_called_a_change():
    """Active days of a constant rate: fewer than one in a hundred, at most `limit`."""
    chance = np.random.default_rng(0)
    active = chance.random((20_000, 180)) < chance.uniform(0.02, 0.9, (20_000, 1))  # the last column is yesterday
    counts = {f"day_{days}": active[:, -days:].sum(axis=1).astype(float) for days in (7, 30, 90, 180)}
    rows, place = np.nonzero(active)
    gap = np.diff(place).astype(float)
    same = np.diff(rows) == 0
    longest = np.full(len(active), np.nan)
    mean = np.bincount(rows[1:][same], gap[same], len(active)) / np.maximum(
        np.bincount(rows[1:][same], minlength=len(active)), 1
    )
    np.fmax.at(longest, rows[1:][same], gap[same])
    last = np.where(active.any(axis=1), 179 - np.argmax(active[:, ::-1] * 1, axis=1), 0)
    recency = 179.0 - last + 0.5
    found = change_moments(
        counts | {"recency": recency, "tenure": np.full(20_000, 400.0), "gap_mean": mean, "gap_max": longest}, SETTINGS
    )
    assert 0.001 < found.flag.mean() < 0.01


def test_the_limit_and_the_habit_are_settings():
    rows = columns([row for row, _ in CASES])
    assert (
        change_moments(rows, ChangeMoment(limit=0.2, min_days=5)).flag.sum() > change_moments(rows, SETTINGS).flag.sum()
    )
    assert not change_moments(rows, ChangeMoment(limit=0.01, min_days=200)).flag.any()
