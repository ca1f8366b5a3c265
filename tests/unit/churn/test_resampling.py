"""Intervals over subscribers: fast forms equal slow ones, width as theory has it, pairs cancel what is common."""

from __future__ import annotations

import numpy as np
import pytest

from visitgrain.churn.quality import auc, average_precision, brier, ece, log_loss
from visitgrain.churn.resampling import Interval, draws, gain, interval, weighted_form


def panel(seed: int, subscribers: int = 200, months: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, p and subscriber: the same score in each month, rounded so that it ties."""
    random = np.random.default_rng(seed)
    subscriber = np.repeat(np.arange(subscribers), months)
    p = np.round(random.random(subscribers), 2)[subscriber]
    return (random.random(len(p)) < p).astype(int), p, subscriber


@pytest.mark.parametrize("measure", [auc, log_loss, brier, ece, average_precision])
def test_weights_are_repeated_rows(measure):
    y, p, _ = panel(0)
    weighted = weighted_form(measure, y, p)
    for seed in range(5):
        weights = np.random.default_rng(seed).integers(0, 4, len(y))
        assert weighted(weights) == pytest.approx(measure(np.repeat(y, weights), np.repeat(p, weights)))


def test_all_rows_of_a_subscriber_are_drawn_together():
    names = np.array(["b", "a", "b", None, "a", None], dtype=object)
    for weights in draws(names, samples=20, seed=0):
        assert weights[0] == weights[2]
        assert weights[1] == weights[4]
        assert weights[3] == weights[5]  # without a name one group, not lost
        assert weights[[0, 1, 3]].sum() == 3


def test_the_interval_is_as_wide_as_subscribers_are_few():
    """100 subscribers, each seen 25 times with one outcome: sd of the mean is that of 100 rows, not of 2,500."""
    y = np.repeat(np.arange(100) % 2, 25)

    def rate(y, p):
        return float(np.mean(y))

    found = interval(rate, y, y * 0.5, np.repeat(np.arange(100), 25), samples=400)
    assert found.point == 0.5
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 100), rel=0.15)  # .196
    rows = interval(rate, y, y * 0.5, np.arange(2500), samples=400)
    assert rows.high - rows.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 2500), rel=0.15)  # .039


def test_the_seed_decides():
    y, p, subscriber = panel(1)
    assert interval(auc, y, p, subscriber) == interval(auc, y, p, subscriber)
    assert interval(auc, y, p, subscriber) != interval(auc, y, p, subscriber, seed=2)


def test_a_gain_over_itself_is_nothing_and_pairs_cancel():
    y, p, subscriber = panel(2)
    assert gain(auc, y, p, p, subscriber) == Interval(0, 0, 0)
    nearly = p + np.random.default_rng(0).normal(0, 0.02, len(p))
    paired, alone = gain(auc, y, nearly, p, subscriber), interval(auc, y, p, subscriber)
    assert paired.high - paired.low < (alone.high - alone.low) / 3


@pytest.mark.slow
def test_95_percent_intervals_hold_the_truth():
    """y ~ Bernoulli(p), p uniform: AUC is 5/6. Seven or fewer misses of 60 have probability .986."""
    hits = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        p = random.random(400)
        y = (random.random(400) < p).astype(int)
        found = interval(auc, y, p, np.arange(400), seed=seed)
        hits += found.low <= 5 / 6 <= found.high
    assert hits >= 53


def test_samples_of_one_class_do_not_count():
    found = interval(auc, [1, 0, 0], [0.9, 0.1, 0.2], ["a", "b", "c"])
    assert found == Interval(1, 1, 1)
    assert np.isnan(interval(auc, [0, 0], [0.1, 0.2], ["a", "b"])).all()


def test_a_subscriber_per_row():
    with pytest.raises(ValueError, match="one subscriber per row"):
        interval(auc, [0, 1], [0.1, 0.2], ["a", "b", "c"])
