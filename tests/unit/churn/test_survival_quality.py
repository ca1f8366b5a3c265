"""Measures of hazards by hand, against slow twins, and unmoved by censoring."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from visitgrain.churn.quality import auc, brier
from visitgrain.churn.survival_quality import (
    auc_within,
    brier_within,
    c_index,
    followed,
    integrated_brier,
    kaplan_meier,
)

# weeks, event: silent in week 1, 2 and 4; censored after 1 and after 3 weeks
WEEKS, EVENT = np.array([0, 1, 3, 1, 3]), np.array([True, True, True, False, False])


def test_share_followed():
    """Five are followed for a week, but one in four that are left is lost after 1, one in two after 3.

    Of the four with weeks >= 1 one is lost after 1 week: 3/4. Of the two with weeks >= 3 one is lost: 3/8.
    """
    assert followed(WEEKS, EVENT).tolist() == [1.0, 1.0, 0.75, 0.75, 0.375]


def test_kaplan_meier():
    """Week 1: 1 of 5. Week 2: 1 of 3, as one is lost. Week 3: 0 of 2. Week 4: 1 of 1."""
    assert kaplan_meier(WEEKS, EVENT, 4) == pytest.approx([0.8, 0.8 * 2 / 3, 0.8 * 2 / 3, 0])


def test_brier_by_hand():
    """Within 2 weeks: two begun, weights 1/1 and 1/.75; two not begun, weight 1/.75; who was lost after 1 has none."""
    p = np.array([0.9, 0.4, 0.2, 0.7, 0.1])
    expected = (0.1**2 + 0.6**2 / 0.75 + (0.2**2 + 0.1**2) / 0.75) / 5
    assert brier_within(WEEKS, EVENT, p, 2) == pytest.approx(expected)


def test_auc_by_hand():
    """Within 3 weeks: risks .5 and .9 with weights 1 and 1/.75 against .3 and .7; half and all of them are lower."""
    risk = np.array([0.5, 0.9, 0.3, 0.1, 0.7])
    assert auc_within(WEEKS, EVENT, risk, 3) == pytest.approx((0.5 + 1 / 0.75) / (1 + 1 / 0.75))


def world(rows=4000, lost=True):
    """Silence by a weekly hazard that depends on `risk`; followed for 2 to 11 weeks, or for 11."""
    chance = np.random.default_rng(3)
    risk = chance.normal(size=rows)
    hazard = expit(risk - 2)
    begins = chance.geometric(hazard) - 1
    known = chance.integers(2, 12, rows) if lost else np.full(rows, 11)
    return np.minimum(begins, known), begins < known, hazard


def test_without_censoring_they_are_those_of_a_classifier():
    weeks, event, hazard = world(500, lost=False)
    begun = (event & (weeks < 4)).astype(float)
    assert auc_within(weeks, event, hazard, 4) == pytest.approx(auc(begun, hazard))
    p = 1 - (1 - hazard) ** 4
    assert brier_within(weeks, event, p, 4) == pytest.approx(brier(begun, p))


def test_c_index_counts_pairs():
    weeks, event, hazard = (column[:300] for column in world())
    share = followed(weeks, event)
    right = total = 0.0
    for i in np.flatnonzero(event & (weeks < 8)):
        later = weeks > weeks[i]
        order = (hazard[i] > hazard[later]).sum() + 0.5 * (hazard[i] == hazard[later]).sum()
        weight = 1 / share[weeks[i] + 1] ** 2
        right, total = right + weight * order, total + weight * later.sum()
    assert c_index(weeks, event, hazard, 8) == pytest.approx(right / total)


@pytest.mark.parametrize("week", [4, 8])
def test_censoring_hardly_moves_them(week):
    """The same people, followed to the end or lost on the way."""
    whole, lost = world(lost=False), world()
    for measure in (auc_within, c_index):
        assert measure(*lost, week) == pytest.approx(measure(*whole, week), abs=0.02)
    p = 1 - (1 - whole[2]) ** week
    assert brier_within(*lost[:2], p, week) == pytest.approx(brier_within(*whole[:2], p, week), abs=0.01)


def test_the_truth_beats_a_curve_for_everybody():
    weeks, event, hazard = world()
    own = np.cumprod(np.repeat(1 - hazard[:, None], 10, axis=1), axis=1)
    alike = np.tile(kaplan_meier(weeks, event, 10), (len(weeks), 1))
    assert integrated_brier(weeks, event, own) < 0.9 * integrated_brier(weeks, event, alike)


def test_what_nothing_defines_is_nan():
    weeks, event = np.array([1, 1]), np.array([False, False])
    risk = np.array([0.1, 0.2])
    assert np.isnan(auc_within(weeks, event, risk, 1))
    assert np.isnan(c_index(weeks, event, risk, 4))
    assert np.isnan(brier_within(weeks, event, risk, 2))
    assert integrated_brier(weeks, event, np.full((2, 4), 0.9)) == pytest.approx(0.01)  # of the first week alone
