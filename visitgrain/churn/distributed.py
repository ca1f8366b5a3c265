"""A learner that trains on the whole table in Spark: gradient-boosted trees of xgboost.spark."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any, NamedTuple

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.churn.boosters import XGBoost
from visitgrain.churn.learners import XGBOOST
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.trees import FittedTrees

NAME = "xgboost_spark"
CHOOSING, VALUES = "_choosing", "_values"
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
    # On the executors' disks, and let go with the frame. Spark's cache of frames hides a heap that is too small behind
    # a NullPointerException of its own.
    known = _in_one_column(placed(rows, features, choosing), features).localCheckpoint(
        storageLevel=StorageLevel.DISK_ONLY
    )
    early = _trained(known, workers, seed, trees=MOST_TREES, stop=True)
    trees = early.get_booster().best_iteration + 1
    final = _trained(known, workers, seed, trees=trees, stop=False)
    first = early.get_booster()[:trees]
    early_fit, final_fit = (_fitted(booster, features, trees, seed) for booster in (first, final.get_booster()))
    return Distributed(early_fit, final_fit, perf_counter() - began)


def placed(rows: DataFrame, features: FeatureSet, choosing: Column) -> DataFrame:
    """What is learnt from, and CHOOSING. A worker's rows and their order are the same on every run, so bagging is."""
    narrow = rows.select("subscriber_id", "month", "outcome", choosing.alias(CHOOSING), *features.names)
    return narrow.repartition(_workers(rows), "subscriber_id").sortWithinPartitions("subscriber_id", "month")


def _in_one_column(rows: DataFrame, features: FeatureSet) -> DataFrame:
    """Features as an array, null = nan. With a column each xgboost.spark fails at a batch of which no row, or every
    one, is there to choose on ("KeyError: values")."""
    values = F.array(*(F.coalesce(name, F.lit(float("nan"))).cast("float") for name in features.names))
    return rows.select("outcome", CHOOSING, values.alias(VALUES))


def _workers(rows: DataFrame) -> int:
    return max(1, min(rows.sparkSession.sparkContext.defaultParallelism, 64))


def _trained(rows: DataFrame, workers: int, seed: int, *, trees: int, stop: bool) -> Any:
    from xgboost.spark import SparkXGBClassifier

    logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)

    stopping: dict[str, Any] = {"validation_indicator_col": CHOOSING, "early_stopping_rounds": PATIENCE} if stop else {}
    learner = SparkXGBClassifier(
        features_col=VALUES,
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
    return learner.fit(rows)


def _fitted(booster: Any, features: FeatureSet, trees: int, seed: int) -> FittedTrees:
    booster.set_param({"nthread": 1})
    booster.feature_names = list(features.names)
    return FittedTrees(NAME, "xgboost", features.names, XGBoost(booster), {**XGBOOST, "trees": trees, "seed": seed})
