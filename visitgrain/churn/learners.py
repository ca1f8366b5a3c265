"""The learners every report compares, simplest first, with the settings of the protocol; and `load`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visitgrain.churn.linear import MODEL, Logistic, fitted_logistic
from visitgrain.churn.panel import Fitted
from visitgrain.churn.trees import LIBRARIES, BoostedTrees, fitted_trees
from visitgrain.errors import GateRefused, InputMissing

RFV = ("recency", "day_30", "ev_30")  # what the baselines stand on
XGBOOST: Mapping[str, Any] = {
    "max_depth": 4,
    "learning_rate": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
    "reg_lambda": 5.0,
    "min_child_weight": 10.0,
}


def recency(column: str = "recency") -> Logistic:
    """Days since the last visit alone: the score is monotone in it."""
    return Logistic("recency", columns=(column,))


def rfv_logistic(columns: tuple[str, ...] = RFV) -> Logistic:
    """Recency, frequency and volume."""
    return Logistic("rfv_logistic", columns=columns)


def logistic(without: tuple[str, ...] = (), **settings: Any) -> Logistic:
    """All features but `without`: those without an order, such as a month of the year, do not belong in a line."""
    return Logistic("logistic", without=without, settings={"C": 0.1, **settings})


def lightgbm(trees: int = 150, **settings: Any) -> BoostedTrees:
    """The default. `settings` override."""
    defaults = {
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": 50,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "seed": 0,
    }
    return BoostedTrees("lightgbm", "lightgbm", {**defaults, **settings}, trees)


def xgboost(trees: int = 150, **settings: Any) -> BoostedTrees:
    """XGBoost on one node, with the settings that the distributed trainer uses."""
    return BoostedTrees("xgboost", "xgboost", {**XGBOOST, "seed": 0, **settings}, trees)


def load(folder: Path) -> Fitted:
    """The model that `save` wrote. Raises InputMissing, or GateRefused for a kind that is not known here."""
    path = folder / MODEL
    if not path.is_file():
        raise InputMissing(f"{folder}: no {MODEL}; expected the folder of a saved churn model")
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.get("kind") == "logistic":
        return fitted_logistic(content)
    if content.get("kind") in LIBRARIES:
        return fitted_trees(content, folder)
    raise GateRefused(f"{path}: kind is {content.get('kind')!r}; expected logistic, {', '.join(LIBRARIES)}")
