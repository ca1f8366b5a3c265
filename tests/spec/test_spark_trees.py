"""Boosted trees of Spark ML, kept as a LightGBM model: the same probability for every row, missing values included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from visitgrain.churn import learners
from visitgrain.churn.distributed import fit_distributed, placed
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import sigmoid
from visitgrain.churn.quality import log_loss
from visitgrain.churn.spark_trees import assembled, fit_gbt, trained_in_spark

NAMES = ("recency", "visits", "gap", "change", "constant", "noise")
FEATURES = FeatureSet({name: name for name in NAMES})
MONTHS = ("2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01")
TREES = 10


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """500 subscribers in four months. Silence follows recency, visits, and whether gap is missing; of the last month
    less so, so that fewer than 10 trees do best there. A tenth of `noise` is NaN, not null."""
    chance = np.random.default_rng(5)
    rows = 2_000
    found = pd.DataFrame({"subscriber_id": np.arange(rows) // 4, "month": np.tile(MONTHS, rows // 4)})
    found["recency"], found["visits"] = chance.exponential(20, rows), chance.poisson(4, rows).astype(float)
    found["gap"] = np.where(chance.random(rows) < 0.3, np.nan, chance.exponential(5, rows))
    found["change"] = np.where(chance.random(rows) < 0.1, np.nan, chance.normal(-1e9, 1e8, rows))
    found["constant"] = 1.0
    found["noise"] = np.where(chance.random(rows) < 0.1, np.nan, chance.normal(size=rows))
    log_odds = 1.2 * np.log1p(found.recency) - 0.5 * found.visits + 1.5 * found.gap.isna() - 1.5
    strength = np.where(found.month == MONTHS[-1], 0.8, 1.0)
    found["outcome"] = (chance.random(rows) < sigmoid(strength * log_odds.to_numpy())).astype(float)
    return found


@pytest.fixture(scope="module")
def rows(spark, table):
    """Nulls, but for `noise`."""
    found = spark.createDataFrame(table).withColumn("month", F.col("month").cast("date"))
    return found.withColumns({name: F.nanvl(name, F.lit(None).cast("double")) for name in ("gap", "change")})


@pytest.fixture(scope="module")
def fits(rows):
    return fit_gbt(rows, FEATURES, F.col("month") == MONTHS[-1], seed=3, most_trees=TREES)


def test_scores_are_sparks(rows, table, fits):
    """Spark trains once more, from rows in another order: its probability is the score of `final`."""
    trees = fits.final.settings["trees"]
    vectors = assembled(placed(rows.orderBy(F.desc("subscriber_id")), FEATURES, F.lit(False)), FEATURES)
    model = trained_in_spark(vectors, trees=trees, seed=3)
    answers = model.transform(vectors).select("subscriber_id", "month", "probability").toPandas()
    answers["month"] = answers["month"].astype(str)
    both = table.merge(answers, on=["subscriber_id", "month"], how="inner", validate="one_to_one")
    assert len(both) == len(table)
    expected = np.array([one[1] for one in both["probability"]])
    score = fits.final.score(both[list(NAMES)].to_numpy())
    np.testing.assert_allclose(score, expected, rtol=0, atol=1e-9)
    assert both[["gap", "change", "noise"]].isna().any(axis=1).sum() > 500
    assert len(np.unique(score)) > 20


def test_contributions_add_up_and_missing_says_something(table, fits):
    x = table[list(NAMES)].to_numpy()
    values, baseline = fits.final.contributions(x)
    np.testing.assert_allclose(sigmoid(values.sum(axis=1) + baseline), fits.final.score(x), rtol=0, atol=1e-9)
    gap, missing = values[:, NAMES.index("gap")], table["gap"].isna()
    assert gap[missing].mean() > 0.1 > gap[~missing].mean()
    importance = fits.final.importance()
    assert set(list(importance)[:3]) == {"recency", "visits", "gap"}
    assert "constant" not in importance


def test_as_many_trees_as_are_best_on_the_choosing_month(table, fits):
    """`early` has learnt from the other months: fewer of its trees do worse on the last one."""
    last = table[table["month"] == MONTHS[-1]]
    x, y = last[list(NAMES)].to_numpy(), last["outcome"].to_numpy()
    trees = fits.early.settings["trees"]
    assert 1 < trees < TREES
    assert trees == fits.final.settings["trees"] == fits.early.booster.booster.num_trees()
    shorter = [fits.early.booster.booster.predict(x, num_iteration=fewer) for fewer in range(1, trees)]
    assert log_loss(y, fits.early.score(x)) < min(log_loss(y, np.asarray(scores)) for scores in shorter)


def test_a_model_read_back_scores_the_same(table, fits, tmp_path):
    x = table[list(NAMES)].to_numpy()
    fits.final.save(tmp_path)
    read = learners.load(tmp_path)
    np.testing.assert_array_equal(read.score(x), fits.final.score(x))
    assert (read.parameters(), read.features) == (fits.final.parameters(), NAMES)
    assert read.parameters()["learner"] == "gbt_spark"


def test_xgboost_trains_in_spark_the_same_from_rows_in_any_order(rows, table):
    choosing = F.col("month") == MONTHS[-1]
    first = fit_distributed(rows, FEATURES, choosing, seed=3)
    again = fit_distributed(rows.orderBy(F.desc("subscriber_id")), FEATURES, choosing, seed=3)
    x = table[list(NAMES)].to_numpy()
    np.testing.assert_allclose(again.final.score(x), first.final.score(x), rtol=0, atol=1e-12)
    late = (table["month"] == MONTHS[-1]).to_numpy()
    assert log_loss(table["outcome"].to_numpy()[late], first.early.score(x[late])) < 0.6
    assert 1 <= first.final.settings["trees"] < 2000
    contributions, baseline = first.final.contributions(x[:50])
    np.testing.assert_allclose(sigmoid(contributions.sum(axis=1) + baseline), first.final.score(x[:50]), atol=1e-5)


def test_batches_of_any_size_train_the_same(spark, rows, table):
    """Of three rows few batches have both kinds: those to learn from, and those to choose on."""
    choosing, size = F.col("month") == MONTHS[-1], "spark.sql.execution.arrow.maxRecordsPerBatch"
    whole, before = fit_distributed(rows, FEATURES, choosing, seed=3), spark.conf.get(size)
    spark.conf.set(size, "3")
    try:
        cut = fit_distributed(rows, FEATURES, choosing, seed=3)
    finally:
        spark.conf.set(size, before)
    x = table[list(NAMES)].to_numpy()
    np.testing.assert_allclose(cut.final.score(x), whole.final.score(x), rtol=0, atol=1e-12)
