"""Scoring against LightGBM alone in one process: `python -m bench.scoring [--subscribers 1000000]`. Prints.

Both score the same 50 features by the same model; the product reads rows of Spark and writes probability, tier and
rank, without reasons and with them for one in ten.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, functions as F

from bench.contestants import FOLDER, catalogue
from bench.harness import timed
from bench.product import open_lake
from visitgrain.churn import learners
from visitgrain.churn.calibration import Calibration
from visitgrain.churn.model import ChurnModel
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import panel_of
from visitgrain.churn.phrases import phrases_of
from visitgrain.churn.scoring import applied, ranked
from visitgrain.churn.tiers import CutPoints
from visitgrain.tables.churning import HABITS

NAMES = tuple(column.name for column in HABITS)
TREES, LEARNT_FROM = 150, 20_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scoring", description=__doc__.splitlines()[0])
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=4)
    arguments = parser.parse_args()
    spark = open_lake(FOLDER / "lake-scoring").spark
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows")
        _rows(spark.range(arguments.subscribers)).write.parquet(path)
        rows = spark.read.parquet(path)
        table, model = rows.select(*NAMES).toArrow(), _model()
        x = np.column_stack([table[name].to_numpy() for name in NAMES])
        alone = timed("LightGBM alone", partial(model.fitted.booster.log_odds, x), arguments.runs)
        for label, explained in (("scores", ()), ("scores and reasons of the highest tenth", ("high",))):
            found = timed(label, partial(_score, rows, model, explained), arguments.runs)
            speed = arguments.subscribers / found.cpu_s
            print(f"  {found.cpu_s / alone.cpu_s:.2f} x the CPU, {speed:,.0f} subscribers a CPU second")


def _rows(people: DataFrame) -> DataFrame:
    """Features that follow from the subscriber alone."""
    values = [((F.xxhash64("id", F.lit(name)) % 1000) / 10 + 100).alias(name) for name in NAMES]
    return people.select(F.col("id").alias("subscriber_id"), F.to_date(F.lit("2025-03-01")).alias("month"), *values)


def _model() -> ChurnModel:
    chance = np.random.default_rng(0)
    x = chance.uniform(0, 200, (LEARNT_FROM, len(NAMES)))
    silent = chance.random(LEARNT_FROM) < 1 / (1 + np.exp(-(x[:, :8] - 100).sum(axis=1) / 100))
    panel = panel_of(NAMES, x, silent, ["2025-01"] * LEARNT_FROM, np.arange(LEARNT_FROM))
    fitted = learners.lightgbm(trees=TREES).fit(panel)
    high = float(np.quantile(fitted.score(x), 0.9))
    features = FeatureSet(dict.fromkeys(NAMES, ""))
    return ChurnModel(fitted, Calibration("none"), CutPoints(0.5, high), features, np.full(len(NAMES), 100.0), {}, {})


def _score(rows: DataFrame, model: ChurnModel, explained: tuple[str, ...]) -> None:
    scored = applied(rows, model, phrases_of(catalogue()), explained).persist()  # as the job does
    ranked(scored).write.format("noop").mode("overwrite").save()
    scored.unpersist(blocking=True)


if __name__ == "__main__":
    main()
