"""Leaks: each rule fires on what it is for, and stays silent on honest panels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from visitgrain.churn.leakage import is_blind, leaky_features, listed_features, shuffled_auc, single_feature_auc

Y = np.array([0, 0, 0, 1, 1, 1])
NONE = np.nan


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4, 5, 6], 1.0),
        ([6, 5, 4, 3, 2, 1], 1.0),  # downwards tells as much
        ([7, 7, 7, 7, 7, 7], 0.5),
        ([1, 1, 1, NONE, NONE, NONE], 1.0),  # who has a value at all
        ([NONE, NONE, NONE, 1, 1, 1], 1.0),
        ([1, 2, 3, 4, NONE, NONE], 1.0),  # ranked above
        ([2, 3, 4, 1, NONE, NONE], 1.0),  # ranked below
        ([np.inf, np.inf, np.inf, NONE, NONE, NONE], 1.0),
        ([NONE] * 6, 0.5),
        ([1, 2, 5, 4, 3, 6], 7 / 9),  # 5 is above 4 and 3
    ],
)
def test_a_single_feature(values, expected):
    assert single_feature_auc(values, Y) == pytest.approx(expected)


def test_leaky_features_are_named_and_honest_ones_are_not():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 2000)
    features = {
        "honest": y + random.normal(0, 1, 2000),  # AUC .76
        "active_days_next_month": np.where(y == 1, 0, random.integers(1, 9, 2000)),
        "almost": -y + random.normal(0, 0.3, 2000),  # AUC .99
    }
    assert list(leaky_features(features, y)) == ["active_days_next_month", "almost"]
    assert leaky_features({"honest": features["honest"]}, y) == {}


def test_names_on_the_leak_list():
    names = ["status", "status_before", "active_days__next_month", "recency"]
    assert listed_features(names, ["status", "*__next_month"]) == ["active_days__next_month", "status"]


def split_then_fit(panel: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = len(y) // 2
    model = LogisticRegression().fit(panel[:half], y[:half])
    return y[half:], model.predict_proba(panel[half:])[:, 1]


def select_then_split(panel: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The usual slip: the features that fit best are chosen on all rows, the held-out ones included."""
    best = np.argsort(-np.abs((panel - panel.mean(axis=0)).T @ (y - y.mean())))[:10]
    return split_then_fit(panel[:, best], y)


def test_shuffled_labels_show_a_pipeline_that_peeks():
    random = np.random.default_rng(1)
    panel = random.normal(size=(1000, 200))
    y = (random.random(1000) < 0.4).astype(int)
    honest = shuffled_auc(split_then_fit, panel, y, repeats=3)
    assert is_blind(honest)
    peeking = shuffled_auc(select_then_split, panel, y, repeats=3)
    assert peeking > 0.55
    assert not is_blind(peeking)


def test_the_seed_decides_and_labels_stay_as_they_were():
    y = np.arange(400) % 2
    panel = np.random.default_rng(2).normal(size=(400, 3))
    assert shuffled_auc(split_then_fit, panel, y, seed=5) == shuffled_auc(split_then_fit, panel, y, seed=5)
    assert (y == np.arange(400) % 2).all()


def test_nothing_measured_is_not_blind():
    assert not is_blind(float("nan"))
