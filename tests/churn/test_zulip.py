"""Silence in a real chat app: the protocol's counts exactly, the quality of each learner against its anchor."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from tests.churn.zulip_panel import COLUMNS, TEST, TRAIN, panel, plain_visits
from visitgrain.churn import learners
from visitgrain.churn.panel import Panel, panel_of, split_choosing

pytestmark = pytest.mark.slow

ROWS = [505, 444, 471, 468, 510, 499, 558, 514, 505, 513, 493, 546]  # of the test months, 2025-02 … 2026-01
SILENT = [224, 184, 200, 201, 236, 191, 256, 223, 201, 214, 196, 249]
# Measured by others: AUC, average precision, lift of the top tenth, log-loss, expected calibration error.
ANCHORS = {
    "recency": (0.7662, 0.6632, 1.715, None, None),
    "rfv_logistic": (0.8154, 0.7000, 1.727, 0.5075, 0.0281),
    "logistic": (0.8623, 0.7944, 2.045, 0.4506, 0.0173),
    "lightgbm": (0.8631, 0.7988, 2.049, 0.4498, 0.0151),
    "xgboost": (0.8638, None, None, 0.4488, None),
}
LEARNERS = [
    learners.recency(),
    learners.rfv_logistic(),
    learners.logistic(without=("moy",)),
    learners.lightgbm(),
    learners.xgboost(),
]


@pytest.fixture(scope="module")
def table(shared) -> pl.DataFrame:
    return pl.DataFrame(panel(TRAIN + TEST, shared))


@pytest.fixture(scope="module")
def rows(table) -> Panel:
    cut_offs = table["cut_off"].to_numpy()
    return panel_of(COLUMNS, table.select(COLUMNS).to_numpy(), table["label"], cut_offs, table["subscriber"])


def test_rows_and_silent_ones_of_every_test_month(table):
    months = table.group_by("cut_off").agg(pl.len(), pl.col("label").sum()).sort("cut_off")
    assert months.filter(pl.col("cut_off") >= TEST[0])["len"].to_list() == ROWS
    assert months.filter(pl.col("cut_off") >= TEST[0])["label"].to_list() == SILENT
    assert (sum(ROWS), sum(SILENT)) == (6026, 2575)
    assert months.filter(pl.col("cut_off") <= TRAIN[-1])["len"].sum() == 15_995


def test_plain_visits(shared):
    assert plain_visits(shared) == 316_209


def test_features_agree_with_each_other(table):
    """Counts grow with the window; the month before T has as many active days as its own window of days."""
    for name in ("ev", "ses", "day", "stream", "topic"):
        for shorter, longer in ((7, 14), (14, 30), (30, 60), (60, 90), (90, 180)):
            assert (table[f"{name}_{shorter}"] <= table[f"{name}_{longer}"]).all()
    after_30_days = table.filter(pl.col("cut_off").dt.month().is_in([5, 7, 10, 12]))
    assert after_30_days["day_30"].equals(after_30_days["mday_1"])
    assert table.filter(pl.col("gap_mean").is_null())["tenure"].max() <= 32  # one active day, in the month before


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: learner.name)
def test_quality(learner, rows):
    later = rows.month >= np.datetime64(TEST[0], "M")
    test = rows.where(later)
    score = learner.fit(*split_choosing(rows.where(~later))).score(test.x)
    auc, precision, lift, loss, error = ANCHORS[learner.name]
    assert roc_auc_score(test.y, score) == pytest.approx(auc, abs=0.001)
    if precision:
        assert average_precision_score(test.y, score) == pytest.approx(precision, abs=0.002)
        assert lift_of_a_tenth(test.y, score) == pytest.approx(lift, abs=0.02)
    if loss:
        assert log_loss(test.y, score) == pytest.approx(loss, abs=0.002)
    if error:
        assert calibration_error(test.y, score) == pytest.approx(error, abs=0.003)


def lift_of_a_tenth(y, score) -> float:
    """Ties in random order; the base of 43 % allows 2.34."""
    order = np.lexsort((np.random.default_rng(0).random(len(y)), -score))
    return y[order[: round(0.1 * len(y))]].mean() / y.mean()


def calibration_error(y, score) -> float:
    """Ten bins of equal frequency."""
    edges = np.quantile(score, np.linspace(0, 1, 11))
    bins = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, 9)
    weights = [(bins == number).mean() for number in np.unique(bins)]
    apart = [abs(y[bins == number].mean() - score[bins == number].mean()) for number in np.unique(bins)]
    return float(np.dot(weights, apart))
