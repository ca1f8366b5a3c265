"""Trees walked by column: bit for bit what LightGBM gives, or left to LightGBM."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.unit.churn.silence import small_panel
from visitgrain.churn import boosters
from visitgrain.churn.boosters import LightGBM
from visitgrain.churn.lightgbm_text import Leaf, Split, booster_of
from visitgrain.churn.tree_columns import AT_ONCE, log_odds, trees_of

NAN = np.nan
QUIET = {"objective": "binary", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5, "seed": 0}


def grown(x: np.ndarray, y: np.ndarray, trees: int = 12, **settings: object) -> lightgbm.Booster:
    return lightgbm.train({**QUIET, **settings}, lightgbm.Dataset(x, y, params=settings), trees)


def world(seed: int, rows: int = 400, missing: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Counts, shares, and a column that is never missing; the outcome follows from all of them."""
    chance = np.random.default_rng(seed)
    x = np.column_stack([chance.poisson(2, rows), chance.normal(size=rows), chance.normal(size=rows)]).astype(float)
    y = chance.random(rows) < 1 / (1 + np.exp(-(x[:, 0] - 2 + x[:, 1] - x[:, 2])))
    x[:, :2][chance.random((rows, 2)) < missing] = NAN
    return x, y.astype(float)


@given(
    seed=st.integers(0, 10_000),
    leaves=st.integers(2, 40),
    missing=st.sampled_from([0.0, 0.2, 0.9]),
    use_missing=st.booleans(),
)
def test_the_same_bits_as_lightgbm(seed, leaves, missing, use_missing):
    x, y = world(seed, missing=missing)
    booster = grown(x, y, num_leaves=leaves, use_missing=use_missing)
    trees = trees_of(booster)
    assert trees
    assert sum(len(tree.leaves) for tree in trees) > 12
    asked = np.concatenate([x, world(seed + 1, missing=0.5)[0], np.full((1, 3), NAN), np.zeros((1, 3))])
    asked[-5:-2] = NAN  # also where nothing was missing in training
    expected = booster.predict(asked, raw_score=True)
    for layout in ("C", "F"):
        assert log_odds(trees, np.asarray(asked, order=layout)).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("recency", "visits", "expected"),
    [(30.0, 2.0, 0.5), (30.000000000000004, 2.0, 2.0), (NAN, 3.0, -1.0), (-5.0, NAN, 0.5), (31.0, NAN, 2.0)],
)
def test_at_the_threshold_it_turns_left(recency, visits, expected):
    """recency <= 30 or missing: (visits <= 2 or missing: 0.5, else -1), else 2; and a tree that is one leaf."""
    tree = Split(0, 30.0, 7.0, left=Split(1, 2.0, 3.0, Leaf(0.5, 20), Leaf(-1.0, 60)), right=Leaf(2.0, 20))
    trees = trees_of(booster_of([tree, Leaf(0.25, 100)], ["recency", "visits"]))
    assert log_odds(trees, np.array([[recency, visits]])).tolist() == [expected + 0.25]


def test_more_rows_than_are_walked_at_once():
    booster = grown(*world(0))
    x, _ = world(1, rows=AT_ONCE + 3)
    assert log_odds(trees_of(booster), x).tolist() == booster.predict(x, raw_score=True).tolist()
    assert log_odds(trees_of(booster), x[:0]).tolist() == []


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({"zero_as_missing": True}, 400),
        ({"linear_tree": True}, 400),
        ({"categorical_feature": [0]}, 400),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, 400),
        ({"num_leaves": 300, "min_data_in_leaf": 1}, 4000),
        ({"objective": "multiclass", "num_class": 2}, 400),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_left_to_lightgbm(settings, rows):
    x, y = world(3, rows=rows)
    assert trees_of(grown(x, y, **settings)) is None


def test_few_rows_and_many_get_the_same_score(monkeypatch):
    panel = small_panel()
    booster = LightGBM(grown(panel.x, panel.y))
    by_lightgbm = booster.log_odds(panel.x)
    monkeypatch.setattr(boosters, "FEW", 0)
    monkeypatch.setattr(booster.booster, "predict", None)
    assert booster.log_odds(panel.x).tolist() == by_lightgbm.tolist()
