"""A learner that trains on the whole table in Spark without native code: gradient-boosted trees of Spark ML.

What is kept is a LightGBM model of the same trees, so that scores and Shapley values need no JVM.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
from pyspark.ml.classification import GBTClassificationModel, GBTClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.churn.boosters import LightGBM
from visitgrain.churn.distributed import CHOOSING, Distributed, placed
from visitgrain.churn.lightgbm_text import Leaf, Node, Split, booster_of
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.trees import FittedTrees

NAME = "gbt_spark"
INPUT = "_features"
MISSING = -1e300  # Spark's trees know no missing values: below every value, so at most any threshold, it goes left
MOST_TREES = 60
SETTINGS: Mapping[str, Any] = {
    "maxDepth": 4,
    "stepSize": 0.1,
    "subsamplingRate": 0.8,
    "featureSubsetStrategy": "0.7",  # of the features, drawn for each node
    "minInstancesPerNode": 50,
    "maxBins": 64,
}


def fit_gbt(
    rows: DataFrame, features: FeatureSet, choosing: Column, *, seed: int, most_trees: int = MOST_TREES
) -> Distributed:
    """`rows` are those of the training and choosing months; as many trees as have the least log-loss on the latter."""
    began = perf_counter()
    known = assembled(placed(rows, features, choosing), features).select(CHOOSING, "outcome", INPUT).persist()
    try:
        early = trained_in_spark(known.where(~F.col(CHOOSING)), trees=most_trees, seed=seed)
        trees = 1 + int(np.argmin(early.evaluateEachIteration(known.where(CHOOSING))))
        final = trained_in_spark(known, trees=trees, seed=seed)
        early_fit, final_fit = (converted(model, features, trees, seed) for model in (early, final))
        return Distributed(early_fit, final_fit, perf_counter() - began)
    finally:
        known.unpersist()


def assembled(rows: DataFrame, features: FeatureSet) -> DataFrame:
    """With the features as one vector, INPUT; null and NaN are MISSING in it."""
    present = {name: F.nanvl(F.coalesce(name, F.lit(MISSING)), F.lit(MISSING)) for name in features.names}
    return VectorAssembler(inputCols=list(features.names), outputCol=INPUT).transform(rows.withColumns(present))


def trained_in_spark(rows: DataFrame, *, trees: int, seed: int) -> GBTClassificationModel:
    """Spark's own model of `outcome` by INPUT."""
    learner = GBTClassifier(featuresCol=INPUT, labelCol="outcome", maxIter=trees, seed=seed, **SETTINGS)
    model: GBTClassificationModel = learner.fit(rows)
    return model


def converted(model: GBTClassificationModel, features: FeatureSet, trees: int, seed: int) -> FittedTrees:
    """The first so many trees. Spark's probability is 1 / (1 + e^-2m), m the weighted sum of the trees' answers
    (Friedman 2001, Greedy function approximation, section 4.5): a leaf is worth twice its weighted answer in log-odds.
    """
    java: Any = model._java_obj
    grown = list(zip(java.trees(), model.treeWeights, strict=True))[:trees]
    booster = booster_of([_node(tree.rootNode(), 2 * weight) for tree, weight in grown], features.names)
    settings = {**SETTINGS, "trees": trees, "seed": seed}
    return FittedTrees(NAME, "lightgbm", features.names, LightGBM(booster), settings)


def _node(node: Any, scale: float) -> Node:
    """Of an org.apache.spark.ml.tree.Node. Gain: by how much the split lowers the sum of squared residuals."""
    rows = node.impurityStats().rawCount()
    if node.subtreeDepth() == 0:
        return Leaf(scale * node.prediction(), rows)
    split, left, right = node.split(), _node(node.leftChild(), scale), _node(node.rightChild(), scale)
    return Split(split.featureIndex(), split.threshold(), node.gain() * rows, left, right)
