"""A world whose hazards are known: the model finds them, is calibrated by decile, and names the planted drivers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from tests.conftest import ROOT
from visitgrain.catalogue.catalogue import load_catalogue
from visitgrain.catalogue.churn import Months
from visitgrain.churn.curves import deciles
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import Panel
from visitgrain.churn.quality import auc
from visitgrain.churn.reasons import codes, top_reasons
from visitgrain.churn.training import best_of, trained
from visitgrain.churn.training_data import TrainingData, split_of

pytestmark = pytest.mark.slow

SUBSCRIBERS, MONTHS = 15_000, np.arange("2025-01", "2025-09", dtype="datetime64[M]")
DRIVERS = {"recency": 1.3, "contract_days": 1.1, "quota_used": 0.9, "sticky_services": 0.7}
NOISE = ("age", "ev_30", "day_30", "wkend", "balance_yuan", "moy")
NAMES = (*DRIVERS, *NOISE)


@pytest.fixture(scope="module")
def world() -> tuple[Panel, np.ndarray]:
    """Features and probability of silence of every subscriber and month: logistic in four drivers, all else noise."""
    random = np.random.default_rng(7)
    rows = SUBSCRIBERS * len(MONTHS)
    columns = {
        "recency": random.exponential(9, rows),
        "contract_days": random.integers(-180, 540, rows).astype(float),
        "quota_used": random.lognormal(-0.5, 0.6, rows),
        "sticky_services": random.integers(0, 4, rows).astype(float),
        **{name: random.gamma(2, 3, rows) for name in NOISE},
    }
    columns["moy"] = np.repeat(MONTHS.astype(int) % 12 + 1.0, SUBSCRIBERS)
    holds = {
        "recency": columns["recency"] > 14,
        "contract_days": np.abs(columns["contract_days"]) < 31,
        "quota_used": columns["quota_used"] > 1,
        "sticky_services": columns["sticky_services"] == 0,
    }
    hazard = expit(-2.2 + sum(weight * holds[name] for name, weight in DRIVERS.items()))
    x = np.column_stack([columns[name] for name in NAMES])
    silent = (random.random(rows) < hazard).astype(float)
    return Panel(NAMES, x, silent, np.repeat(MONTHS, SUBSCRIBERS), np.tile(np.arange(SUBSCRIBERS), len(MONTHS))), hazard


@pytest.fixture(scope="module")
def found(world):
    panel, _ = world
    catalogue = load_catalogue(ROOT / "conf", zone="UTC", visit_rules="default")
    settings = catalogue.churn.model_copy(update={"learners": ("recency", "logistic", "lightgbm")})
    split = split_of(list(MONTHS.astype(object)), Months(train=None, choose=2, test=2))
    learning, testing = (
        panel.where(np.isin(panel.month.astype(object), months))
        for months in ((*split.train, *split.choose), split.test)
    )
    choose_from = int(np.isin(learning.month.astype(object), split.train).sum())
    features = FeatureSet(dict.fromkeys(NAMES, "planted"))
    data = TrainingData(features, {}, learning, choose_from, testing, {}, split, {}, 1.0)
    about = {"label_channel": "app", "versions": {}}
    return best_of(list(trained(None, data, settings, trials=0, about=about))), data, catalogue.churn_phrases


def of_test(world, data: TrainingData) -> np.ndarray:
    panel, hazard = world
    return hazard[np.isin(panel.month, data.testing.month)]


def test_it_ranks_as_well_as_the_truth_does_but_for_a_hundredth(world, found):
    best, data, _ = found
    bayes = auc(data.testing.y, of_test(world, data))
    assert bayes - 0.01 <= auc(data.testing.y, best.evaluation.scores) <= bayes + 0.002


def test_each_decile_is_calibrated_within_a_point_and_a_half(world, found):
    """Against the planted probabilities: what is observed has noise of its own, 0.4 points of 3,000 rows."""
    best, data, _ = found
    hazard, scores = of_test(world, data), best.evaluation.scores
    groups = np.array_split(np.argsort(-scores, kind="stable"), 10)
    for decile, rows in zip(deciles(data.testing.y, scores), groups, strict=True):
        assert decile.predicted == pytest.approx(hazard[rows].mean(), abs=0.015), decile
        assert decile.predicted == pytest.approx(decile.observed, abs=0.03), decile


def test_the_planted_drivers_are_the_top_reasons(found):
    best, data, phrases = found
    high = data.testing.where(best.evaluation.scores >= np.quantile(best.evaluation.scores, 0.9))
    reasons = codes(top_reasons(best.contributions(high), NAMES, phrases, 2), NAMES)
    told, counts = np.unique(reasons[reasons != None].astype(str), return_counts=True)  # noqa: E711 - by element
    planted = sum(count for name, count in zip(told, counts, strict=True) if name in DRIVERS)
    assert planted / counts.sum() >= 0.95
    assert set(DRIVERS) <= {name for name, count in zip(told, counts, strict=True) if count >= 0.05 * len(high)}
