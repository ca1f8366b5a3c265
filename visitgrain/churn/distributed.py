"""A learner that trains on the whole table in Spark: gradient-boosted trees of xgboost.spark."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.churn.boosters import XGBoost
from visitgrain.churn.learners import XGBOOST
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.trees import FittedTrees

NAME = "xgboost_spark"
CHOOSING = "_choosing"
MOST_TREES, PATIENCE = 2000, 50


class Distributed(NamedTuple):
    """`early` saw nothing of the choosing months but when to stop; `final` has as many trees, on all rows."""

    early: FittedTrees
    final: FittedTrees
    seconds: float


def fit_distributed(rows: DataFrame, features: FeatureSet, choosing: Column, *, seed: int) -> Distributed:
    """`rows` are those of the training and choosing months. Barrier tasks: one worker per core, no dynamic allocation.

    Raises ModuleNotFoundError where the extra `xgb` is not installed.
    """
    began = perf_counter()
    workers = _workers(rows)
    known = placed(rows, features, choosing).persist()
    try:
        early = _trained(known, features, workers, seed, trees=MOST_TREES, stop=True)
        trees = early.get_booster().best_iteration + 1
        final = _trained(known, features, workers, seed, trees=trees, stop=False)
        first = early.get_booster()[:trees]
        early_fit, final_fit = (_fitted(booster, features, trees, seed) for booster in (first, final.get_booster()))
        return Distributed(early_fit, final_fit, perf_counter() - began)
    finally:
        known.unpersist()


def placed(rows: DataFrame, features: FeatureSet, choosing: Column) -> DataFrame:
    """What is learnt from, and CHOOSING. A worker's rows and their order are the same on every run, so bagging is.

    All months of a subscriber together: xgboost.spark fails at a batch without rows to choose on ("KeyError: values").
    """
    narrow = rows.select("subscriber_id", "month", "outcome", choosing.alias(CHOOSING), *features.names)
    return narrow.repartition(_workers(rows), "subscriber_id").sortWithinPartitions("subscriber_id", "month")


def _workers(rows: DataFrame) -> int:
    return max(1, min(rows.sparkSession.sparkContext.defaultParallelism, 64))


def _trained(rows: DataFrame, features: FeatureSet, workers: int, seed: int, *, trees: int, stop: bool) -> Any:
    from xgboost.spark import SparkXGBClassifier

    logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)

    stopping: dict[str, Any] = {"validation_indicator_col": CHOOSING, "early_stopping_rounds": PATIENCE} if stop else {}
    learner = SparkXGBClassifier(
        features_col=list(features.names),
        label_col="outcome",
        num_workers=workers,
        n_estimators=trees,
        tree_method="hist",
        eval_metric="logloss",
        random_state=seed,
        verbosity=0,
        verbose=False,
        **XGBOOST,
        **stopping,
    )
    return learner.fit(rows.withColumns({name: F.coalesce(name, F.lit(float("nan"))) for name in features.names}))


def _fitted(booster: Any, features: FeatureSet, trees: int, seed: int) -> FittedTrees:
    booster.set_param({"nthread": 1})
    booster.feature_names = list(features.names)
    return FittedTrees(NAME, "xgboost", features.names, XGBoost(booster), {**XGBOOST, "trees": trees, "seed": seed})
