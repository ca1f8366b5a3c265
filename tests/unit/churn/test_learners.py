"""What holds for every learner: scores are contributions summed up, the same twice, the same from disk."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as sklearn_log_loss

from tests.unit.churn.silence import small_panel
from visitgrain.churn import learners
from visitgrain.churn.panel import panel_of, sigmoid, split_choosing
from visitgrain.churn.quality import log_loss
from visitgrain.errors import GateRefused, InputMissing

PANEL = small_panel()
EARLIER, CHOOSE = split_choosing(PANEL)
ALL = [
    learners.recency(),
    learners.rfv_logistic(("recency", "visits")),
    learners.logistic(without=("noise",)),
    learners.lightgbm(trees=20, min_data_in_leaf=20),
    learners.xgboost(trees=20),
]
every_learner = pytest.mark.parametrize("learner", ALL, ids=lambda learner: learner.name)


@every_learner
def test_contributions_add_up_to_the_score(learner):
    model = learner.fit(PANEL)
    contributions, baseline = model.contributions(PANEL.x)
    assert contributions.shape == PANEL.x.shape
    tolerance = 1e-6 if learner.name == "xgboost" else 1e-12  # its trees are 32-bit
    np.testing.assert_allclose(sigmoid(contributions.sum(axis=1) + baseline), model.score(PANEL.x), atol=tolerance)
    assert model.contributions(PANEL.x[:0])[0].shape == (0, 4)


@every_learner
def test_the_same_rows_give_the_same_model(learner):
    one, two = learner.fit(EARLIER, CHOOSE), learner.fit(EARLIER, CHOOSE)
    np.testing.assert_allclose(one.score(PANEL.x), two.score(PANEL.x), rtol=0, atol=1e-12)
    assert one.parameters() == two.parameters()
    assert one.importance() == two.importance()


@every_learner
def test_a_model_read_back_scores_the_same(learner, tmp_path):
    model = learner.fit(PANEL)
    model.save(tmp_path / "model")
    read = learners.load(tmp_path / "model")
    np.testing.assert_allclose(read.score(PANEL.x), model.score(PANEL.x), rtol=0, atol=1e-12)
    assert read.features == model.features
    assert read.parameters() == model.parameters()
    assert read.importance() == model.importance()
    for path in (tmp_path / "model").iterdir():
        path.read_text(encoding="utf-8")


@every_learner
def test_importance_names_what_matters(learner):
    importance = learner.fit(PANEL).importance()
    assert sum(importance.values()) == pytest.approx(1)
    assert {"recency", "visits"} >= {next(iter(importance))}
    assert importance.get("noise", 0) < 0.15


@every_learner
def test_columns_that_do_not_fit_are_refused(learner):
    model = learner.fit(PANEL)
    with pytest.raises(ValueError, match=r"expected 4 columns \(recency, visits, gap, …\), found shape \(1200, 3\)"):
        model.score(PANEL.x[:, :3])


def test_the_score_of_recency_alone_is_monotone():
    days = np.linspace(0, 400, 50)
    score = learners.recency().fit(PANEL).score(np.column_stack([days] + [np.zeros(50)] * 3))
    assert (np.diff(score) > 0).all()


def test_the_logistic_regression_is_scikit_learns():
    """Without missing values: standardised sign(x) log(1 + |x|), C = 0.1."""
    used = [0, 1, 3]
    z = np.sign(PANEL.x[:, used]) * np.log1p(np.abs(PANEL.x[:, used]))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    expected = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000).fit(z, PANEL.y).predict_proba(z)[:, 1]
    score = learners.logistic(without=("gap",)).fit(PANEL).score(PANEL.x)
    np.testing.assert_allclose(score, expected, atol=1e-6)


def test_missing_is_a_level_of_its_own():
    """Two thirds of those without a value are silent, one third of the others: both shares come out, whatever x is."""
    x = np.array([[np.nan]] * 150 + [[5.0]] * 450)
    y = [1, 1, 0] * 50 + [1, 0, 0] * 150
    model = learners.logistic(C=1e6).fit(panel_of(("gap",), x, y, ["2025-01"] * 600, range(600)))
    np.testing.assert_allclose(model.score(np.array([[np.nan], [5.0]])), [2 / 3, 1 / 3], atol=1e-4)


def test_a_value_missing_for_the_first_time_adds_nothing():
    model = learners.logistic(without=("gap",)).fit(PANEL)
    row = PANEL.x[:1].copy()
    row[0, 0] = np.nan
    assert model.contributions(row)[0][0, 0] == 0


def test_a_constant_or_empty_column_adds_nothing():
    x = np.column_stack([PANEL.x[:, 0], np.full(1200, 3.0), np.full(1200, np.nan)])
    panel = panel_of(("recency", "constant", "empty"), x, PANEL.y, PANEL.month, PANEL.subscriber)
    assert learners.logistic().fit(panel).importance() == {"recency": 1.0}


@pytest.mark.parametrize("make", [learners.lightgbm, learners.xgboost])
def test_trees_are_chosen_on_the_choosing_rows_and_fitted_on_all(make):
    learner = make()
    chosen, value = learner.chosen(EARLIER, CHOOSE)
    assert value == pytest.approx(log_loss(CHOOSE.y, chosen.fit(EARLIER).score(CHOOSE.x)), abs=1e-6)
    assert 1 <= chosen.trees < 2000
    assert chosen.trees != learner.trees
    both, by_hand = learner.fit(EARLIER, CHOOSE), chosen.fit(EARLIER.joined(CHOOSE))
    np.testing.assert_array_equal(both.score(PANEL.x), by_hand.score(PANEL.x))
    assert both.parameters()["trees"] == chosen.trees


def test_split_choosing_takes_the_last_cut_offs():
    assert np.unique(CHOOSE.month).tolist() == np.unique(PANEL.month)[-4:].tolist()
    assert EARLIER.month.max() < CHOOSE.month.min()
    assert len(EARLIER) + len(CHOOSE) == len(PANEL)
    with pytest.raises(ValueError, match="12 cut-offs cannot leave 12"):
        split_choosing(PANEL, months=12)


def test_log_loss_is_scikit_learns():
    p = np.clip(np.linspace(-0.1, 1.1, len(PANEL)), 0, 1)
    assert log_loss(PANEL.y, p) == pytest.approx(sklearn_log_loss(PANEL.y, np.clip(p, 1e-6, 1 - 1e-6)))


def test_what_is_not_a_panel_is_refused():
    with pytest.raises(ValueError, match="infinite"):
        panel_of(("a",), [[np.inf]], [0], ["2025-01"], [1])
    with pytest.raises(ValueError, match=r"\(rows, features\) = \(2, 1\)"):
        panel_of(("a",), [[1.0]], [0, 1], ["2025-01"] * 2, [1, 2])
    with pytest.raises(ValueError, match="different features"):
        PANEL.joined(panel_of(("a",), [[1.0]], [0], ["2025-01"], [1]))
    with pytest.raises(ValueError, match="rfv_logistic: the panel has no column day_30, ev_30"):
        learners.rfv_logistic().fit(PANEL)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(InputMissing, match=r"no model\.json"):
        learners.load(tmp_path)
    learners.recency().fit(PANEL).save(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**content, "kind": "forest"}))
    with pytest.raises(GateRefused, match="kind is 'forest'; expected logistic, lightgbm, xgboost"):
        learners.load(tmp_path)
    shutil.rmtree(tmp_path)
