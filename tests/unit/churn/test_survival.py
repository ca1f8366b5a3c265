"""Weeks until silence as person-weeks, what hazards say, and a world whose hazard is known."""

from __future__ import annotations

import numpy as np
import pytest

from visitgrain.churn import learners
from visitgrain.churn.panel import panel_of
from visitgrain.churn.survival import (
    Spells,
    expected_days,
    first_day_after,
    known_weeks,
    median_weeks,
    person_weeks,
    silent_within,
    survival,
)

JANUARY = np.datetime64("2026-01", "M")


def spells(weeks, event, month=None, x=None) -> Spells:
    rows = len(weeks)
    values = np.arange(rows, dtype=float)[:, None] if x is None else x
    months = [JANUARY] * rows if month is None else month
    return Spells(panel_of(("f",), values, event, months, np.arange(rows)), np.asarray(weeks, dtype=np.int64))


def test_a_row_per_week_at_risk():
    """0: silent in the third week. 1: not in two, then unknown. 2: silent at once. 3: nothing is known."""
    panel = person_weeks(spells([2, 2, 0, 0], [1, 0, 1, 0]), horizon=12)
    assert panel.features == ("f", "week")
    assert panel.subscriber.tolist() == [0, 0, 0, 1, 1, 2]
    assert panel.x.tolist() == [[0, 1], [0, 2], [0, 3], [1, 1], [1, 2], [2, 1]]
    assert panel.y.tolist() == [0, 0, 1, 0, 0, 1]


def test_weeks_beyond_the_horizon_are_left_out():
    panel = person_weeks(spells([2, 5], [1, 0]), horizon=2)
    assert panel.x.tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]
    assert panel.y.tolist() == [0, 0, 0, 0]  # silence in week 3 is not within two


@pytest.mark.parametrize(
    ("day", "known"),
    [
        ("2026-03-06", 0),  # silence from 7 February on takes until 6 March included, which is not over
        ("2026-03-07", 1),  # 1 February + 7 days - 1 + 28: the whole first week can be told
        ("2026-03-13", 1),
        ("2026-03-14", 2),
    ],
)
def test_a_week_is_known_when_a_silence_from_its_last_day_would_have_lasted(day, known):
    assert first_day_after(JANUARY) == np.datetime64("2026-02-01")
    assert known_weeks(JANUARY, np.datetime64(day), silence_days=28) == known


def test_what_was_known_at_an_earlier_day():
    """On 14 March two weeks of January's cut-off are known and none of February's."""
    month = [JANUARY] * 3 + [JANUARY + 1]
    early = spells([1, 2, 9, 0], [1, 1, 0, 1], month).as_known_at(np.datetime64("2026-03-14"), silence_days=28)
    assert early.weeks.tolist() == [1, 2, 2, 0]
    assert early.event.tolist() == [True, False, False, False]


def test_hazards_to_survival_median_and_days():
    """Survival .5, .25 after two weeks; 7 (1 + .5)/2 + 7 (.5 + .25)/2 = 7.875 days, and then 7 .25 (1/.5 - 1/2)."""
    half = np.array([[0.5, 0.5]])
    assert survival(half).tolist() == [[0.5, 0.25]]
    assert silent_within(half, 1).tolist() == [0.5]
    assert silent_within(half, 2).tolist() == [0.75]
    assert expected_days(half) == pytest.approx(7.875 + 7 * 0.25 * 1.5)
    # .8, .4 after two weeks: the half lies .3 of .4 into the second one
    assert median_weeks(np.array([[0.2, 0.5], [0.2, 0.2], [0.5, 0.5], [1.0, 0.0]])) == pytest.approx(
        [1.75, np.nan, 1.0, 0.5], nan_ok=True
    )


def test_a_constant_hazard_needs_no_horizon():
    """7 (1/h - 1/2) days, whatever the number of weeks; close to 1/rate of a silence that begins at a constant rate."""
    for weeks in (4, 12):
        assert expected_days(np.full((1, weeks), 0.1)) == pytest.approx(7 * (10 - 0.5))
    rate = 1 / 50  # a day
    assert expected_days(np.full((1, 12), 1 - np.exp(-7 * rate))) == pytest.approx(50, rel=0.002)


def test_nobody_is_expected_for_longer_than_ten_years_after_the_horizon():
    assert expected_days(np.zeros((1, 12))) == pytest.approx(12 * 7 + 3650)
    assert expected_days(np.ones((1, 12))) == pytest.approx(3.5)  # in the first week, halfway


LEARNERS = [learners.logistic(), learners.lightgbm(trees=200, feature_fraction=1.0)]  # of two features both


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda one: one.name)
def test_learners_find_the_hazards_of_a_known_world(learner):
    """Two kinds of people with constant weekly hazards .05 and .2, censored after 1 to 12 weeks."""
    chance = np.random.default_rng(0)
    kind = chance.integers(0, 2, 6000)
    truth = np.array([0.05, 0.2])
    begins = chance.geometric(truth[kind]) - 1
    known = chance.integers(1, 13, len(kind))
    world = spells(np.minimum(begins, known), begins < known, x=kind[:, None].astype(float))
    fitted = learner.fit(person_weeks(world, 12))
    weeks = np.arange(1.0, 13.0)
    found = np.array([fitted.score(np.column_stack([np.full(12, group), weeks])) for group in (0.0, 1.0)])
    assert silent_within(found, 4) == pytest.approx(1 - (1 - truth) ** 4, abs=0.02)
    assert expected_days(found)[1] == pytest.approx(7 * (1 / 0.2 - 0.5), rel=0.1)
    assert expected_days(found)[0] == pytest.approx(7 * (1 / 0.05 - 0.5), rel=0.2)  # two thirds of it are the tail


def test_weeks_that_are_no_counts_are_refused():
    with pytest.raises(ValueError, match="counts from 0"):
        spells([-1], [1])
