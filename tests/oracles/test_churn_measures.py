"""Measures of a score on real rows: `telco_ibm`, LightGBM out of fold, against numbers computed independently.

The expected row is that of the design notes: one stratified 5-fold, seed 0, 200 trees of 7 leaves, rate 0.04.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from visitgrain.churn.profit import empc
from visitgrain.churn.quality import scorecard

lightgbm = pytest.importorskip("lightgbm")
SETTINGS = {
    "n_estimators": 200,
    "num_leaves": 7,
    "learning_rate": 0.04,
    "min_child_samples": 50,
    "colsample_bytree": 0.7,
    "subsample": 0.8,
    "subsample_freq": 1,
    "reg_lambda": 5,
    "random_state": 0,
    "deterministic": True,
    "n_jobs": 1,
    "verbose": -1,
}


@pytest.fixture(scope="module")
def out_of_fold(shared) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import StratifiedKFold

    rows = pd.read_parquet(shared / "data/telco_ibm/data.parquet")
    y = (rows.pop("churn") == "Yes").to_numpy().astype(int)
    panel = pd.get_dummies(rows.fillna({"total_charges": 0})).to_numpy(dtype=float)
    assert panel.shape == (7043, 40)
    p = np.empty(len(y))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(panel, y):
        p[test] = lightgbm.LGBMClassifier(**SETTINGS).fit(panel[train], y[train]).predict_proba(panel[test])[:, 1]
    return y, p


def test_scalars(out_of_fold):
    found = scorecard(*out_of_fold)
    expected = {
        "auc": 0.8494,
        "pr_auc": 0.6663,
        "lift_at_10": 2.880,
        "log_loss": 0.4111,
        "brier": 0.1335,
        "ece": 0.0079,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=6e-4)


def test_expected_maximum_profit(out_of_fold):
    found = empc(*out_of_fold)
    assert found.profit_fen == pytest.approx(1033, abs=1)
    assert found.share == pytest.approx(0.504, abs=2e-3)
