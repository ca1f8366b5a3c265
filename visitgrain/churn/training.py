"""Several learners on the same months, from the simplest to boosted trees, each calibrated and judged alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.churn import ChurnSettings, Tiers
from visitgrain.churn import calibration, distributed, learners, spark_trees
from visitgrain.churn.boosters import has_xgboost
from visitgrain.churn.drift import reference, references
from visitgrain.churn.evaluation import Evaluation, Rows, evaluate
from visitgrain.churn.model import ChurnModel
from visitgrain.churn.panel import Fitted, Learner, Panel
from visitgrain.churn.profit import Amounts
from visitgrain.churn.quality import Floats, auc, log_loss
from visitgrain.churn.reasons import usual_of_stayers
from visitgrain.churn.search import Range, Trial, search
from visitgrain.churn.tiers import CutPoints, cut_points_by_capacity
from visitgrain.churn.training_data import TrainingData
from visitgrain.errors import InputMissing

LOG = logging.getLogger(__name__)
PARTS = (0.1, 0.3, 1.0)  # of the subscribers, for the learning curve
MOY = "moy"  # a month of the year has no order that a line could follow
LOCAL: Mapping[str, Callable[[int], Learner]] = {
    "recency": lambda seed: learners.recency(),
    "rfv_logistic": lambda seed: learners.rfv_logistic(),
    "logistic": lambda seed: learners.logistic(without=(MOY,)),
    "lightgbm": lambda seed: learners.lightgbm(seed=seed),
}
IN_SPARK = {distributed.NAME: distributed.fit_distributed, spark_trees.NAME: spark_trees.fit_gbt}


class Fits(NamedTuple):
    """`early` saw nothing of the choosing months (but when to stop), `final` learnt from them too."""

    early: Fitted
    final: Fitted
    trials: tuple[Trial, ...]
    curve: Rows
    seconds: float


@dataclass(frozen=True, eq=False)
class Trained:
    """A learner's model, what it was tried with, and how it does."""

    name: str
    model: ChurnModel
    fits: Fits
    choosing_log_loss: float
    evaluation: Evaluation

    def contributions(self, rows: Panel) -> Floats:
        return self.model.fitted.contributions(rows.x)[0]


def trained(
    rows: DataFrame | None, data: TrainingData, settings: ChurnSettings, *, trials: int, about: Mapping[str, Any]
) -> Iterator[Trained]:
    """One by one, in the order of the settings. `rows` are the labelled rows in Spark, for what trains there.

    Raises InputMissing where a learner trains in Spark and there are no rows.
    """
    for name in dict.fromkeys(_possible(name) for name in settings.learners):
        if name in LOCAL:
            fits = _local(name, data, settings, trials)
        elif rows is None:
            raise InputMissing(f"churn: learner {name} trains in Spark, and there are no rows in Spark")
        else:
            fits = _in_spark(name, rows, data, settings)
        yield _judged(name, fits, data, settings, about)


def _possible(name: str) -> str:
    """Spark ML's trees, which need no native code in the workers, where XGBoost is not installed."""
    if name != distributed.NAME or has_xgboost():
        return name
    LOG.warning("churn: %s is not possible, xgboost is not installed; %s instead", name, spark_trees.NAME)
    return spark_trees.NAME


def _local(name: str, data: TrainingData, settings: ChurnSettings, trials: int) -> Fits:
    began = perf_counter()
    learner, space = LOCAL[name](settings.seed), settings.search.get(name, {})  # type: ignore[call-overload]
    tried: tuple[Trial, ...] = ()
    if trials and space:
        ranges = {key: Range(found.low, found.high, found.log) for key, found in space.items()}
        learner, tried = search(learner, ranges, data.fitting, data.choosing, trials=trials, seed=settings.seed)
    else:
        learner = learner.chosen(data.fitting, data.choosing).learner
    early = learner.fit(data.fitting)
    final = learner.fit(data.learning)
    seconds = perf_counter() - began
    return Fits(early, final, tried, list(_curve(learner, data)), seconds)


def _curve(learner: Learner, data: TrainingData) -> Iterator[dict[str, Any]]:
    """AUC on the choosing months after learning from a part of the subscribers, the same for every learner."""
    _, person = np.unique(data.fitting.subscriber, return_inverse=True)
    drawn = np.random.default_rng(0).random(person.max() + 1)[person]
    for part in PARTS:
        rows = data.fitting.where(drawn < part) if part < 1 else data.fitting
        if len(rows) and 0 < rows.y.mean() < 1:
            fitted = learner.fit(rows)
            yield {"rows": len(rows), "auc": auc(data.choosing.y, fitted.score(data.choosing.x))}


def _in_spark(name: str, rows: DataFrame, data: TrainingData, settings: ChurnSettings) -> Fits:
    split = data.split
    used = rows.where(F.col("month").isin(*split.train, *split.choose))
    choosing = F.col("month").isin(*split.choose)
    found = IN_SPARK[name](used, data.features, choosing, seed=settings.seed)
    return Fits(found.early, found.final, (), [], found.seconds)


def _judged(name: str, fits: Fits, data: TrainingData, settings: ChurnSettings, about: Mapping[str, Any]) -> Trained:
    choosing, testing = data.choosing, data.testing
    raw = fits.early.score(choosing.x)
    # One month alone tells calibrations apart by halves of the subscribers.
    folds = choosing.month if len(data.split.choose) > 1 else choosing.subscriber % 2
    early = calibration.fit(raw, choosing.y, how=settings.calibration, month=folds)
    calibrated = early.levelled(fits.final.score(choosing.x), choosing.y)
    columns = {feature: data.learning.x[:, place] for place, feature in enumerate(data.learning.features)}
    model = ChurnModel(
        fits.final,
        calibrated,
        _cut_points(settings.tiers, early.apply(raw)),
        data.features,
        usual_of_stayers(data.learning),
        references(columns),
        about,
    )
    amounts = Amounts(**settings.profit.model_dump())
    scores = model.score(testing.x)
    evaluation = evaluate(scores, testing, data.slices, model.cut_points, amounts)
    told = {name: value for name, value in evaluation.scalars.items() if np.isfinite(value)}
    # What months to come are compared with. Scores of rows that it learnt from lie further apart than theirs will.
    model = replace(model, references={**model.references, "score": reference(scores)}, about={**about, "test": told})
    return Trained(name, model, fits, log_loss(choosing.y, early.apply(raw)), evaluation)


def _cut_points(tiers: Tiers, scores: Floats) -> CutPoints:
    """As set, or so that so many of the choosing months' subscribers are in each tier."""
    if tiers.by == "probability":
        return CutPoints(mid=tiers.mid, high=tiers.high)
    return cut_points_by_capacity(scores, mid_share=tiers.mid, high_share=tiers.high)


def best_of(found: list[Trained]) -> Trained:
    """The least log-loss on the choosing months: the test months choose nothing."""
    return min(found, key=lambda one: one.choosing_log_loss)


def shuffled_scores(learner: Learner, data: TrainingData, labels: Floats) -> tuple[Floats, Floats]:
    """The learner on other labels: those and the scores of the test months."""
    split = len(data.learning)
    fitted = learner.fit(replace(data.learning, y=labels[:split]))
    return labels[split:], fitted.score(data.testing.x)
