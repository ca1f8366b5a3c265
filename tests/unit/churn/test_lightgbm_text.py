"""Trees as text that LightGBM reads: leaves summed up, missing to the left, Shapley values by the counts."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from tests.unit.churn.silence import small_panel
from visitgrain.churn.lightgbm_text import Leaf, Node, Split, booster_of

# recency <= 30 or missing: (visits <= 2 or missing: 0.5, else -1), else 2
TREE = Split(0, 30.0, 7.0, left=Split(1, 2.0, 3.0, left=Leaf(0.5, 20), right=Leaf(-1.0, 60)), right=Leaf(2.0, 20))
ALONE = Leaf(0.25, 100)
NAN = np.nan


@pytest.mark.parametrize(
    ("recency", "visits", "log_odds"),
    [
        (30.0, 2.0, 0.5 + 0.25),  # at the threshold: left
        (30.000000000000004, 2.0, 2.0 + 0.25),  # the next number: right
        (NAN, 3.0, -1.0 + 0.25),
        (-5.0, NAN, 0.5 + 0.25),
        (NAN, NAN, 0.5 + 0.25),
    ],
)
def test_a_row_gets_the_sum_of_its_leaves(recency, visits, log_odds):
    booster = booster_of([TREE, ALONE], ["recency", "visits"])
    assert booster.predict([[recency, visits]], raw_score=True) == [log_odds]
    assert booster.predict([[recency, visits]]) == pytest.approx([1 / (1 + np.exp(-log_odds))], abs=1e-15)


def test_shapley_values_by_hand():
    """Of recency 10, visits 5, which comes to -1. What is not known is averaged by the rows on either side:
    nothing known: (20 x 0.5 - 60 + 20 x 2) / 100 = -0.1; recency: (20 x 0.5 - 60) / 80 = -0.625;
    visits: (80 x -1 + 20 x 2) / 100 = -0.4; both: -1.
    """
    recency = ((-0.625 - -0.1) + (-1 - -0.4)) / 2
    visits = ((-0.4 - -0.1) + (-1 - -0.625)) / 2
    values = booster_of([TREE, ALONE], ["recency", "visits"]).predict([[10.0, 5.0]], pred_contrib=True)
    np.testing.assert_allclose(values, [[recency, visits, -0.1 + 0.25]], atol=1e-12)


def test_names_and_gains_are_kept():
    booster = booster_of([TREE, TREE], ["recency", "visits"])
    assert booster.feature_name() == ["recency", "visits"]
    assert booster.feature_importance("gain").tolist() == [14.0, 6.0]


def test_trees_of_lightgbm_come_back_as_they_were():
    """Grown by LightGBM with missing values to the left, taken apart, put together: scores and contributions."""
    panel = small_panel()
    rows = lightgbm.Dataset(np.nan_to_num(panel.x, nan=-1e300), panel.y, feature_name=list(panel.features))
    quiet = {"objective": "binary", "num_leaves": 12, "num_threads": 1, "verbosity": -1}
    grown = lightgbm.train(quiet, rows, 15)

    def node(found: dict) -> Node:
        if "leaf_value" in found:
            return Leaf(found["leaf_value"], found["leaf_count"])
        left, right = node(found["left_child"]), node(found["right_child"])
        return Split(found["split_feature"], found["threshold"], found["split_gain"], left, right)

    trees = [node(tree["tree_structure"]) for tree in grown.dump_model()["tree_info"]]
    ours, theirs = booster_of(trees, panel.features), np.nan_to_num(panel.x, nan=-1e300)
    for what in ({}, {"pred_contrib": True}):
        np.testing.assert_allclose(ours.predict(panel.x, **what), grown.predict(theirs, **what), atol=1e-14)
    assert ours.feature_importance("gain").tolist() == pytest.approx(grown.feature_importance("gain").tolist())
    read = lightgbm.Booster(model_str=ours.model_to_string())
    np.testing.assert_array_equal(read.predict(panel.x), ours.predict(panel.x))
