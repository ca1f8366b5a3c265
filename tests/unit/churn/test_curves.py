"""Tables and curves of a score, and the tiers they are cut by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from visitgrain.churn.curves import Confusion, Decile, confusion_at_tiers, deciles, gains, reliability
from visitgrain.churn.quality import ece
from visitgrain.churn.tiers import CutPoints, cut_points_by_capacity, tier

CUTS = CutPoints(mid=0.3, high=0.7)


def test_deciles_from_the_top():
    p = np.arange(20) / 20
    y = (p >= 0.75).astype(int)  # the upper 5 of 20, base 1/4
    rows = deciles(y, p)
    assert [row.rows for row in rows] == [2] * 10
    assert rows[0] == Decile(1, 2, observed=1.0, predicted=pytest.approx((0.95 + 0.9) / 2), lift=4.0)
    assert [row.observed for row in rows] == [1, 1, 0.5] + [0] * 7


def test_ties_of_deciles_in_order_of_appearance():
    assert [row.observed for row in deciles([1] * 5 + [0] * 15, [0.5] * 20)] == [1, 1, 0.5] + [0] * 7


def test_gains_run_from_nobody_to_everybody():
    points = gains([1, 0, 1, 0], [0.9, 0.8, 0.5, 0.5], points=5)
    # the two at .5 hold one silent one: half of one each
    assert [(point.share, point.captured) for point in points] == [
        (0, 0),
        (0.25, 0.5),
        (0.5, 0.5),
        (0.75, 0.75),
        (1, 1),
    ]


def test_reliability_is_what_ece_averages():
    random = np.random.default_rng(1)
    p = random.random(333)
    y = (random.random(333) < p**1.5).astype(int)
    bins = reliability(y, p)
    assert sum(row.rows for row in bins) == 333
    assert sum(row.rows / 333 * abs(row.observed - row.predicted) for row in bins) == pytest.approx(ece(y, p))


def test_confusion_from_each_tier_upwards():
    y, p = [1, 0, 1, 0, 1], [0.9, 0.7, 0.5, 0.3, 0.1]
    found = confusion_at_tiers(y, p, CUTS)
    assert found["high"] == Confusion(1, 1, 2, 1)  # .9 and .7
    assert found["mid"] == Confusion(2, 2, 1, 0)  # all but .1
    assert (found["mid"].precision, found["mid"].recall) == (0.5, pytest.approx(2 / 3))


def test_a_tier_starts_at_its_cut_point():
    assert tier([0.0, 0.29, 0.3, 0.69, 0.7, 1.0], CUTS).tolist() == ["low", "low", "mid", "mid", "high", "high"]


def test_tiers_by_capacity_stay_with_their_scores():
    cuts = cut_points_by_capacity(np.arange(100) / 100, mid_share=0.19, high_share=0.10)
    assert cuts == CutPoints(mid=0.71, high=0.90)
    worse_month = tier(np.arange(100) / 200 + 0.5, cuts)
    assert (worse_month == "high").sum() == 20  # risk rose, the threshold did not


@pytest.mark.parametrize(
    ("scores", "share", "expected"),
    [
        ([0.9, 0.5, 0.5, 0.1], 0.5, 1),  # with one of the tied two the other would come: one place stays free
        ([0.5, 0.5, 0.5, 0.1], 0.5, 0),
        ([0.9, 0.8, 0.5, 0.1], 0.5, 2),
        ([0.9, 0.8, 0.5, 0.1], 1.0, 4),
        ([0.9, 0.8, 0.5, 0.1], 0.0, 0),
    ],
)
def test_capacity_is_not_exceeded(scores, share, expected):
    cuts = cut_points_by_capacity(scores, mid_share=0, high_share=share)
    assert (tier(scores, cuts) == "high").sum() == expected


@given(
    st.lists(st.sampled_from(np.linspace(0, 1, 9).tolist()), min_size=1, max_size=60),
    st.integers(0, 10),
    st.integers(0, 10),
)
def test_any_capacity_holds(scores, mid, high):
    if mid + high > 10:
        return
    tiers = tier(scores, cut_points_by_capacity(scores, mid_share=mid / 10, high_share=high / 10))
    assert (tiers == "high").sum() <= high / 10 * len(scores) + 1e-9
    assert (tiers != "low").sum() <= (mid + high) / 10 * len(scores) + 1e-9


def test_what_is_refused():
    with pytest.raises(ValueError, match="at most"):
        CutPoints(mid=0.7, high=0.3)
    with pytest.raises(ValueError, match="missing"):
        tier([0.1, np.nan], CUTS)
    with pytest.raises(ValueError, match="shares"):
        cut_points_by_capacity([0.5], mid_share=0.8, high_share=0.3)
    with pytest.raises(ValueError, match="reference"):
        cut_points_by_capacity([], mid_share=0.2, high_share=0.1)
