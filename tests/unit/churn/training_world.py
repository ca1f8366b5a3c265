"""Training data with a known truth, made without Spark: what the job collects from the tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from visitgrain.catalogue.churn import ChurnSettings, Months, Tracking, load_churn
from visitgrain.churn.experiment import run_experiment
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import panel_of, sigmoid
from visitgrain.churn.tracking import tracked
from visitgrain.churn.training import trained
from visitgrain.churn.training_data import TrainingData, split_of
from visitgrain.runtime.settings import default_conf

NAMES = ("recency", "tenure", "ev_30", "day_30", "gap_mean", "wkend", "nact6", "moy")
SUBSCRIBERS, MONTHS = 250, 12
MONTH = date(2026, 1, 1)


def small_settings(**changes: Any) -> ChurnSettings:
    """As shipped, without the learner that needs Spark; 750 test rows leave ECE a noise of some 0.03."""
    shipped = load_churn(default_conf() / "catalogue" / "churn", "default")
    gate = shipped.gate.model_copy(update={"max_ece": 0.12})
    learners = ("recency", "rfv_logistic", "logistic", "lightgbm")
    return shipped.model_copy(update={"learners": learners, "gate": gate, "months": WANTED, **changes})


WANTED = Months(train=None, choose=2, test=3)


def small_experiment(
    tracking: Tracking, data: TrainingData, about: Mapping[str, Any], learners: tuple[str, ...], trials: int = 0
) -> list[dict[str, Any]]:
    """A training of 2026-01 in MLflow. The first cells of CHURN_MODELS, a row per learner."""
    settings = small_settings(learners=learners)
    with tracked(tracking) as client:
        candidates = trained(None, data, settings, trials=trials, about=about)
        rows = run_experiment(client, candidates, data, settings, month=MONTH, tracking=tracking, about=about)
    names = ("month", "learner", "run_id", "version", "promoted", "verdict")
    return [dict(zip(names, row, strict=False)) for row in rows]


def small_training_data(seed: int = 1) -> TrainingData:
    """250 subscribers in 12 months of 2025. Silence follows active days, months active of six and, where it is known,
    the usual gap; recency tells some of it, `wkend` nothing."""
    chance = np.random.default_rng(seed)
    rows = SUBSCRIBERS * MONTHS
    habit = np.tile(chance.normal(size=SUBSCRIBERS), MONTHS)
    days = chance.poisson(np.exp(1.2 + 0.7 * habit)) + 1
    nact6 = np.clip(np.round(3.5 + 1.5 * habit + chance.normal(size=rows)), 1, 6)
    gap = np.where(days == 1, np.nan, 30 / days * chance.lognormal(sigma=0.3, size=rows))
    recency = np.minimum(chance.exponential(20 / days), 31)
    log_odds = 2.4 - 0.3 * days - 0.6 * (nact6 - 3.5) + 0.05 * recency + 0.4 * np.isnan(gap)
    month = np.datetime64("2025-01") + np.repeat(np.arange(MONTHS), SUBSCRIBERS)
    numbers = {
        "recency": recency,
        "tenure": chance.uniform(30, 900, rows),
        "ev_30": days * (1 + chance.poisson(4, rows)),
        "day_30": days,
        "gap_mean": gap,
        "wkend": chance.random(rows),
        "nact6": nact6,
        "moy": np.repeat(np.arange(MONTHS), SUBSCRIBERS) % 12 + 1,
    }
    silent = chance.random(rows) < sigmoid(log_odds - 1.5)
    x = np.column_stack([numbers[name] for name in NAMES])
    panel = panel_of(NAMES, x, silent, month, np.tile(np.arange(SUBSCRIBERS), MONTHS))
    months = [one.astype("datetime64[D]").item() for one in np.unique(month)]
    split = split_of(months, WANTED)
    choose, test = (np.datetime64(part[0], "M") for part in (split.choose, split.test))
    testing = panel.where(month >= test)
    counts = {
        str(one): {"rows": SUBSCRIBERS, "silent": int(panel.y[month == np.datetime64(one, "M")].sum())}
        for one in months
    }
    return TrainingData(
        FeatureSet({name: f"definition of {name}" for name in NAMES}, {"recency": "days since the last active day"}),
        {},
        panel.where(month < test),
        int((month < choose).sum()),
        testing,
        {"area": np.where(testing.subscriber % 2, "north", "south").astype(object)},
        split,
        counts,
        1.0,
    )
