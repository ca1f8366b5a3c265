"""Measures of a score: by hand on a few rows, against scikit-learn on any rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn import metrics

from visitgrain.churn import quality

# by descending score: 1 1 0 | two tied at .5 | 0
Y = [1, 1, 0, 1, 0, 0]
P = [0.9, 0.8, 0.7, 0.5, 0.5, 0.1]


def test_auc_counts_pairs():
    # of 9 pairs: .9 and .8 are above all 3 others, .5 above .1, level with .5, below .7
    assert quality.auc(Y, P) == pytest.approx((3 + 3 + 1 + 0.5) / 9)


def test_average_precision_takes_ties_as_one_step():
    # precision 1/1, 2/2 and, at the tie, 3/5, each over a third of the silent ones
    assert quality.average_precision(Y, P) == pytest.approx((1 + 1 + 3 / 5) / 3)


def test_lift_and_capture_at_a_share():
    # round(.5 x 6) = 3 rows hold 2 of 3 silent ones, at a base rate of 1/2
    assert quality.lift(Y, P, share=0.5) == pytest.approx((2 / 3) / (1 / 2))
    assert quality.capture(Y, P, share=0.5) == pytest.approx(2 / 3)
    assert quality.lift_ceiling(Y, share=0.5) == 2
    assert quality.lift_ceiling(Y, share=0.9) == pytest.approx(1 / 0.9)


def test_ties_at_the_cut_fall_as_the_definition_draws_them():
    y = np.arange(1000) < 300
    drawn = np.random.default_rng(0).random(1000)
    expected = y[np.argsort(drawn)[:100]].mean() / 0.3  # all scores equal: the draw alone decides
    assert quality.lift(y, np.zeros(1000)) == pytest.approx(expected)


def test_losses_by_hand():
    assert quality.log_loss([1, 0], [0.8, 0.4]) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert quality.log_loss([1], [0.0]) == pytest.approx(-math.log(1e-6))  # clipped
    assert quality.brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)


def test_ece_of_ten_bins():
    p = np.repeat(np.linspace(0.05, 0.95, 10), 20)
    y = np.concatenate([np.arange(20) < round(20 * rate) for rate in np.linspace(0.05, 0.95, 10)]).astype(int)
    assert quality.ece(y, p) == pytest.approx(0, abs=1e-12)
    off = y.copy()
    off[180:] = 0  # the top bin says .95 and sees 0: a tenth of the rows is .95 off
    assert quality.ece(off, p) == pytest.approx(0.095)


def test_ece_by_its_definition():
    random = np.random.default_rng(3)
    p = np.round(random.random(500), 1)  # ties empty some bins
    y = (random.random(500) < p**2).astype(int)
    group = np.clip(np.searchsorted(np.quantile(p, np.arange(11) / 10), p, side="right") - 1, 0, 9)
    inside = [group == bin for bin in range(10) if (group == bin).any()]
    assert quality.ece(y, p) == pytest.approx(sum(m.mean() * abs(y[m].mean() - p[m].mean()) for m in inside))


def test_a_score_on_an_edge_of_ece_belongs_to_the_bin_above():
    # quantiles 0, .1 ... 1 of 0 ... 10 are 0 ... 10: each of the lower nine alone, the two highest together
    p = np.arange(11) / 10
    y = np.array([0] * 9 + [1, 0])
    assert quality.ece(y, p) == pytest.approx((p[:9].sum() + abs(0.1 - 1.0)) / 11)


def test_months_apart():
    found = quality.per_month([0, 1, 0, 1, 1], [0.1, 0.9, 0.8, 0.3, 0.5], ["b", "b", "a", "a", "c"])
    assert list(found.months) == ["a", "b", "c"]
    assert (found.months["a"], found.months["b"]) == (0, 1)
    assert math.isnan(found.months["c"])  # one class: not defined, not counted
    assert (found.mean, found.sd) == (0.5, 0.5)


@pytest.mark.parametrize("y", [[0, 0], [1, 1]])
def test_one_class_has_no_order(y):
    assert math.isnan(quality.auc(y, [0.1, 0.2]))


def test_without_a_silent_one_nothing_is_lifted():
    card = quality.scorecard([0, 0, 0], [0.1, 0.2, 0.3])
    assert {name for name, value in card.items() if math.isnan(value)} == {
        "auc",
        "pr_auc",
        "lift_at_10",
        "lift_ceiling",
        "capture_at_10",
    }


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.5], "shapes"),
        ([], [], "shapes"),
        ([0, 2], [0.1, 0.2], "0 and 1"),
        ([0, 1], [0.1, np.nan], "missing"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(y, p, message):
    with pytest.raises(ValueError, match=message):
        quality.scorecard(y, p)


@st.composite
def scored(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    n = draw(st.integers(2, 40))
    y = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda labels: 0 < sum(labels) < n))
    return y, draw(st.lists(st.sampled_from(np.linspace(0, 1, 8).tolist()), min_size=n, max_size=n))  # many ties


@settings(deadline=None, max_examples=40)
@given(scored())
def test_scikit_learn_agrees(rows):
    y, p = rows
    card = quality.scorecard(y, p)
    assert card["auc"] == pytest.approx(metrics.roc_auc_score(y, p))
    assert card["pr_auc"] == pytest.approx(metrics.average_precision_score(y, p))
    assert card["log_loss"] == pytest.approx(metrics.log_loss(y, np.clip(p, 1e-6, 1 - 1e-6)))
    assert card["brier"] == pytest.approx(metrics.brier_score_loss(y, p))


@settings(max_examples=40)
@given(scored())
def test_order_alone_decides_what_measures_order(rows):
    y, p = rows
    for measure in (quality.auc, quality.average_precision, quality.lift, quality.capture):
        assert measure(y, np.array(p) / 7 - 3) == pytest.approx(measure(y, p), nan_ok=True)
    assert quality.auc(y, -np.array(p)) == pytest.approx(1 - quality.auc(y, p))
