"""LightGBM and XGBoost behind the same few functions: one thread, seeded, text on disk. XGBoost may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import lightgbm
import numpy as np

from visitgrain.churn import tree_columns
from visitgrain.churn.panel import Panel
from visitgrain.churn.quality import Floats

if TYPE_CHECKING:
    import xgboost


FEW = 2_000  # rows, for which LightGBM is as quick as its trees by column


def has_xgboost() -> bool:
    return find_spec("xgboost") is not None


class Stopped(NamedTuple):
    trees: int
    log_loss: float


class Booster(Protocol):
    """Boosted trees of one library. Log-odds per row; contributions have the baseline as their last column."""

    file: str

    def log_odds(self, x: Floats) -> Floats: ...
    def contributions(self, x: Floats) -> Floats: ...
    def gains(self) -> dict[str, float]: ...
    def write(self, path: Path) -> None: ...


class LightGBM:
    """Wraps a lightgbm.Booster; its text format keeps every threshold and leaf to 17 digits."""

    file = "booster.txt"

    def __init__(self, booster: lightgbm.Booster) -> None:
        self.booster = booster

    @classmethod
    def read(cls, path: Path) -> LightGBM:
        return cls(lightgbm.Booster(model_file=path))

    @classmethod
    def train(cls, settings: Mapping[str, Any], rows: Panel, trees: int) -> LightGBM:
        return cls(lightgbm.train(_lightgbm(settings), _dataset(rows), num_boost_round=trees))

    @staticmethod
    def stopped(settings: Mapping[str, Any], rows: Panel, choose: Panel, at_most: int, patience: int) -> Stopped:
        fitting = _dataset(rows)
        booster = lightgbm.train(
            {**_lightgbm(settings), "metric": "binary_logloss"},
            fitting,
            num_boost_round=at_most,
            valid_sets=[_dataset(choose, fitting)],
            valid_names=["choose"],
            callbacks=[lightgbm.early_stopping(patience, verbose=False)],
        )
        return Stopped(booster.best_iteration, float(booster.best_score["choose"]["binary_logloss"]))

    @cached_property
    def _trees(self) -> list[tree_columns.Tree] | None:
        return tree_columns.trees_of(self.booster)

    def log_odds(self, x: Floats) -> Floats:
        if len(x) > FEW and self._trees:
            return tree_columns.log_odds(self._trees, x)
        return np.asarray(self.booster.predict(x, raw_score=True, num_threads=1))

    def contributions(self, x: Floats) -> Floats:
        return np.asarray(self.booster.predict(x, pred_contrib=True, num_threads=1))

    def gains(self) -> dict[str, float]:
        gains = self.booster.feature_importance("gain")
        return dict(zip(self.booster.feature_name(), gains.tolist(), strict=True))

    def write(self, path: Path) -> None:
        self.booster.save_model(path)


class XGBoost:
    """Wraps an xgboost.Booster, also one that xgboost.spark trained; its leaves are 32-bit floats."""

    file = "booster.json"

    def __init__(self, booster: xgboost.Booster) -> None:
        self.booster = booster

    @classmethod
    def read(cls, path: Path) -> XGBoost:
        import xgboost

        return cls(xgboost.Booster({"nthread": 1}, model_file=path))

    @classmethod
    def train(cls, settings: Mapping[str, Any], rows: Panel, trees: int) -> XGBoost:
        import xgboost

        return cls(xgboost.train(_xgboost(settings), _matrix(rows), num_boost_round=trees))

    @staticmethod
    def stopped(settings: Mapping[str, Any], rows: Panel, choose: Panel, at_most: int, patience: int) -> Stopped:
        import xgboost

        booster = xgboost.train(
            {**_xgboost(settings), "eval_metric": "logloss"},
            _matrix(rows),
            num_boost_round=at_most,
            evals=[(_matrix(choose), "choose")],
            early_stopping_rounds=patience,
            verbose_eval=False,
        )
        return Stopped(booster.best_iteration + 1, float(booster.best_score))

    def log_odds(self, x: Floats) -> Floats:
        return self._predict(x, output_margin=True)

    def contributions(self, x: Floats) -> Floats:
        return self._predict(x, pred_contribs=True)

    def _predict(self, x: Floats, **what: bool) -> Floats:
        import xgboost

        answer = self.booster.predict(xgboost.DMatrix(x, nthread=1), validate_features=False, **what)
        return np.asarray(answer, dtype=np.float64)

    def gains(self) -> dict[str, float]:
        return {
            name: float(np.sum(gain)) for name, gain in self.booster.get_score(importance_type="total_gain").items()
        }

    def write(self, path: Path) -> None:
        self.booster.save_model(path)


def _lightgbm(settings: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {"objective": "binary", "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1}
    return {**settings, **fixed}


def _dataset(rows: Panel, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(rows.x, rows.y, reference=reference, feature_name=list(rows.features))


def _xgboost(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, "objective": "binary:logistic", "tree_method": "hist", "nthread": 1, "verbosity": 0}


def _matrix(rows: Panel) -> xgboost.DMatrix:
    import xgboost

    return xgboost.DMatrix(rows.x, rows.y, feature_names=list(rows.features), nthread=1)
