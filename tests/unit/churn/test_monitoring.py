"""What a month is told: drift, missing values, how scores came true, age; and when a new model is due."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.unit.churn.models import model_of
from tests.unit.churn.silence import small_panel
from visitgrain.catalogue.churn import load_churn
from visitgrain.churn import learners
from visitgrain.churn.drift import references
from visitgrain.churn.monitoring import ALERT, BLOCK, OK, Finding, _knew, aged, compared, realised, retraining_due
from visitgrain.churn.quality import auc, ece, ece_by_chance

CONF = Path(__file__).parents[3] / "conf" / "catalogue" / "churn"
SETTINGS = load_churn(CONF, "default")
LIMITS = SETTINGS.monitoring
RANDOM = np.random.default_rng(3)
BEFORE = {name: RANDOM.normal(size=5000) for name in ("calm", "shifted", "lost", "moy")}
BEFORE["score"] = RANDOM.uniform(size=5000)
NOW = {
    "calm": RANDOM.normal(size=4000),
    "shifted": RANDOM.normal(1, 1, size=4000),
    "lost": np.where(np.arange(4000) % 5 == 0, np.nan, RANDOM.normal(size=4000)),  # none -> 20 %
    "moy": np.full(4000, 7.0),
    "score": RANDOM.uniform(size=4000) ** 1.2,
}


def findings(now: dict[str, np.ndarray]) -> dict[tuple[str, str], Finding]:
    before = references(BEFORE)
    counts = {name: before[name].count(values) for name, values in now.items()}
    return {(one.check, one.subject): one for one in compared(before, counts, LIMITS, "4")}


def test_drift_of_inputs():
    found = findings(NOW)
    assert {one: found["psi", one].status for one in NOW} == {
        "calm": OK,
        "shifted": ALERT,  # by one standard deviation
        "lost": ALERT,
        "moy": OK,  # the calendar moves: told, without a limit
        "score": OK,
    }
    assert found["psi", "moy"].value > 1
    assert found["psi", "moy"].limit is None
    assert found["psi", "shifted"].limit == 0.2
    assert found["nulls", "lost"] == Finding("nulls", "lost", 0.2, 0.0, 0.1, ALERT, "4")
    assert found["nulls", "shifted"].status == OK
    assert ("nulls", "score") not in found


def test_a_score_beyond_the_hard_limit_blocks():
    assert findings({"score": NOW["score"] ** 4})["psi", "score"].status == BLOCK
    assert findings({"shifted": np.full(500, 9.0)})["psi", "shifted"].status == ALERT  # a feature alone does not


def test_few_rows_and_none():
    few = findings({"calm": RANDOM.normal(size=30)})
    assert few["psi", "calm"].limit > 0.2
    assert few["psi", "calm"].status == OK
    assert findings({"calm": np.array([])}) == {}


P = np.repeat([0.1, 0.3, 0.7], 400)
Y = (np.arange(1200) % 10 < np.round(P * 10)).astype(float)  # as many as promised
TESTED = {"auc": 0.76, "ece": 0.01, "base_rate": 0.36}


def told(y: np.ndarray, p: np.ndarray, tested: dict[str, float]) -> dict[str, Finding]:
    return {one.check: one for one in realised(y, p, tested, LIMITS, "4")}


def test_scores_that_came_true():
    found = told(Y, P, TESTED)
    assert list(found) == ["auc", "lift_at_10", "capture_at_10", "ece", "base_rate", "mean_score"]
    assert {one.status for one in found.values()} == {OK}
    assert found["auc"].value == auc(Y, P)
    assert (found["auc"].reference, found["auc"].limit) == (0.76, 0.76 - 0.03)
    assert found["ece"].limit == 0.05 + ece_by_chance(P)
    assert (found["base_rate"].value, found["mean_score"].value) == pytest.approx((11 / 30, 11 / 30))
    assert found["lift_at_10"].limit is None


def test_a_worse_ranking_and_probabilities_that_are_too_low_alert():
    assert told(Y, P[::-1], TESTED)["auc"].status == ALERT
    low = told(Y, P / 3, TESTED)
    assert (low["auc"].status, low["ece"].status) == (OK, ALERT)


def test_nothing_is_compared_with_what_is_not_known():
    assert told(np.array([]), np.array([]), TESTED) == {}
    old = told(Y, P, {})["auc"]  # a version without test numbers
    assert (old.reference, old.limit, old.status) == (None, None, OK)
    one_class = told(np.zeros(50), np.full(50, 0.01), TESTED)["auc"]
    assert (one_class.value, one_class.status) == (None, OK)


def test_ece_by_chance_is_that_of_right_probabilities():
    """The mean over draws from the probabilities themselves, give or take one percent in 2,000 draws."""
    p = RANDOM.uniform(0.05, 0.9, size=500)
    drawn = np.mean([ece(RANDOM.uniform(size=500) < p, p) for _ in range(2000)])
    assert ece_by_chance(p) == pytest.approx(drawn, rel=0.02)


@pytest.fixture(scope="module")
def model():
    counts = {"2025-03-01": {"rows": 9, "silent": 2}, "2025-05-01": {"rows": 9, "silent": 3}}
    return model_of(learners.recency(), small_panel(100), counts=counts)


@pytest.mark.parametrize(("month", "age", "status"), [("2025-06", 0, OK), ("2025-08", 2, OK), ("2026-01", 7, ALERT)])
def test_age_since_the_last_month_with_labels(model, month, age, status):
    found = aged(model, date.fromisoformat(f"{month}-01"), SETTINGS, "4")
    assert (found.value, found.limit, found.status) == (age, 3, status)


def test_months_that_the_model_knew_are_no_news(model):
    assert _knew(model, date(2025, 5, 1))
    assert not _knew(model, date(2025, 6, 1))


def test_when_a_new_model_is_due():
    fine, drifted = Finding("psi", "a", 0.0, None, 0.2, OK, "4"), Finding("psi", "b", 0.5, None, 0.2, ALERT, "4")
    old = Finding("model_age", "score", 3.0, None, 3.0, ALERT, "4")
    patient = SETTINGS.model_copy(update={"retrain": SETTINGS.retrain.model_copy(update={"on_alert": False})})
    assert not retraining_due([fine], SETTINGS)
    assert retraining_due([fine, drifted], SETTINGS)
    assert not retraining_due([fine, drifted], patient)
    assert retraining_due([fine, old], patient)
