"""Scoring against LightGBM alone in one process: `python -m bench.scoring [--subscribers 1000000]`. Prints.

Both score the same 50 features by the same model; the product reads a table of the lake and writes one of probability,
tier and rank, without reasons and with them for one in ten.
"""

from __future__ import annotations

import argparse
from datetime import date
from functools import partial

import numpy as np
from pyspark.sql import DataFrame, functions as F

from bench.contestants import FOLDER, catalogue
from bench.harness import timed
from bench.product import open_lake
from visitgrain.churn import learners
from visitgrain.churn.calibration import Calibration
from visitgrain.churn.drift import reference
from visitgrain.churn.model import ChurnModel
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import panel_of
from visitgrain.churn.phrases import phrases_of
from visitgrain.churn.row_files import rows_in_files
from visitgrain.churn.scoring import applied, bins_of, with_ranks
from visitgrain.churn.tiers import CutPoints
from visitgrain.runtime.lake import Lake
from visitgrain.tables.churning import CHURN_FEATURES, CHURN_SCORES, HABITS
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

NAMES = tuple(column.name for column in HABITS)
TREES, LEARNT_FROM = 150, 20_000
MONTH = date(2025, 3, 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scoring", description=__doc__.splitlines()[0])
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=4)
    arguments = parser.parse_args()
    lake, model = open_lake(FOLDER / "lake-scoring").lake, _model()
    lake.replace(CHURN_FEATURES, _features(lake.spark.range(arguments.subscribers)), window=None, run_id="bench")
    table = lake.read(CHURN_FEATURES).select(*NAMES).toArrow()
    x = np.column_stack([table[name].to_numpy() for name in NAMES])
    lightgbm = model.fitted.booster.booster  # its own predictor
    alone = timed("LightGBM alone", partial(lightgbm.predict, x, raw_score=True, num_threads=1), arguments.runs)
    by_column = timed("trees by column", partial(model.fitted.booster.log_odds, np.asfortranarray(x)), arguments.runs)
    print(f"  {by_column.cpu_s / alone.cpu_s:.2f} x the CPU")
    for label, explained in (("scores", ()), ("scores and reasons of the highest tenth", ("high",))):
        found = timed(label, partial(_score, lake, model, explained), arguments.runs)
        speed = arguments.subscribers / found.cpu_s
        print(f"  {found.cpu_s / alone.cpu_s:.2f} x the CPU, {speed:,.0f} subscribers a CPU second")


def _features(people: DataFrame) -> DataFrame:
    """Habits that follow from the subscriber alone; of the contract nothing is known."""
    habits = {name: (F.xxhash64("id", F.lit(name)) % 1000) / 10 + 100 for name in NAMES}
    known = {
        "subscriber_id": F.col("id"),
        "month": F.lit(MONTH),
        "active": F.lit(True),
        "gone": F.lit(False),
        "known_through": F.to_timestamp(F.lit("2025-04-01")),
        **habits,
    }
    values = [known.get(one.name, F.lit(None)).cast(one.type).alias(one.name) for one in CHURN_FEATURES.columns]
    return people.select(values)


def _model() -> ChurnModel:
    chance = np.random.default_rng(0)
    x = chance.uniform(0, 200, (LEARNT_FROM, len(NAMES)))
    silent = chance.random(LEARNT_FROM) < 1 / (1 + np.exp(-(x[:, :8] - 100).sum(axis=1) / 100))
    panel = panel_of(NAMES, x, silent, ["2025-01"] * LEARNT_FROM, np.arange(LEARNT_FROM))
    fitted = learners.lightgbm(trees=TREES).fit(panel)
    scores = fitted.score(x)
    cut_points = CutPoints(0.5, float(np.quantile(scores, 0.9)))
    features = FeatureSet(dict.fromkeys(NAMES, ""))
    usual, references = np.full(len(NAMES), 100.0), {"score": reference(scores)}
    return ChurnModel(fitted, Calibration("none"), cut_points, features, usual, references, {})


def _score(lake: Lake, model: ChurnModel, explained: tuple[str, ...]) -> None:
    """As the job does, up to the table."""
    features, metrics = lake.files(CHURN_FEATURES), lake.files(SUBSCRIBER_METRICS, optional=True)
    rows = rows_in_files(features, metrics, NAMES, ())
    kept = applied(rows, model, phrases_of(catalogue()), explained).persist()
    bins_of(kept)
    told = {"model_version": 1, "feature_hash": model.features.hash, "run_id": "bench"}
    lake.replace(CHURN_SCORES, with_ranks(kept, features.rows, told), window=None, run_id="bench")
    kept.unpersist(blocking=True)


if __name__ == "__main__":
    main()
