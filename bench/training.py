"""Memory of training on a wide panel: `python -m bench.training [--rows 2000000 --features 120]`. Prints.

Rows of Spark come to the driver as the training job collects them; each learner then trains in turn.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from pyspark.sql import DataFrame, functions as F

from bench.contestants import FOLDER, catalogue
from bench.measure import Usage, measured
from bench.product import open_lake
from visitgrain.churn import distributed, learners
from visitgrain.churn.model_rows import SLICES, FeatureSet
from visitgrain.churn.training import LOCAL, trained
from visitgrain.churn.training_data import collected
from visitgrain.tables.churning import HABITS

MONTHS = 10
LEARNERS = ("logistic", "lightgbm", "xgboost_spark")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--features", type=int, default=120)
    parser.add_argument("--trees", type=int, default=30, help="at most; memory does not depend on them")
    parser.add_argument("--driver-memory", default="1536m", help="heap of the driver's JVM")
    parser.add_argument("--learners", nargs="*", default=LEARNERS)
    arguments = parser.parse_args()
    names = [*(column.name for column in HABITS), *(f"more_{n}" for n in range(arguments.features))][
        : arguments.features
    ]
    LOCAL["lightgbm"] = lambda seed: learners.lightgbm(seed=seed, at_most=arguments.trees)  # type: ignore[index]
    distributed.MOST_TREES = arguments.trees
    spark = open_lake(FOLDER / "lake-training", f"spark.driver.memory={arguments.driver_memory}").spark
    settings = catalogue().churn.model_copy(update={"most_rows": arguments.rows, "slices": ("area",)})
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows")
        # Row groups of the size that the lake's own files have: a task holds a whole one in the heap.
        rows = _rows(spark.range(arguments.rows // MONTHS), names)
        rows.write.option("parquet.block.size", 64 << 20).parquet(path)
        rows = spark.read.parquet(path)
        with measured(os.getpid()) as usage:
            data = collected(rows, FeatureSet(dict.fromkeys(names, "")), settings)
        print(
            f"collected {len(data.learning) + len(data.testing):,} x {len(data.features.names)}: {_of(usage)}",
            flush=True,
        )
        for learner in arguments.learners:
            own = settings.model_copy(update={"learners": (learner,)})
            with measured(os.getpid()) as usage:
                (found,) = trained(rows, data, own, trials=0, about={})
            print(f"{learner}: AUC {found.evaluation.scalars['auc']:.4f}, {_of(usage)}", flush=True)


def _rows(people: DataFrame, names: list[str]) -> DataFrame:
    """Whole numbers and shares that follow from subscriber and month; the first eight tell of silence."""
    months = F.explode(
        F.expr(f"sequence(date'2025-01-01', add_months(date'2025-01-01', {MONTHS - 1}), interval 1 month)")
    )
    seen = people.select(F.col("id").alias("subscriber_id"), months.alias("month"))
    drawn = {
        name: F.pmod(F.xxhash64("subscriber_id", "month", F.lit(name)), F.lit(1000)) for name in [*names, "_chance"]
    }
    habits = {name: F.when(drawn[name] > 20, drawn[name] / 10) for name in names}
    told = sum((drawn[name] for name in names[1:8]), drawn[names[0]]) / 4000 - 1
    silent = (drawn["_chance"] / 1000 < 1 / (1 + F.exp(-3 * told))).cast("double")
    slices = {name: F.lit("all") for name in SLICES} | {"area": F.concat(F.lit("area "), F.col("subscriber_id") % 20)}
    return seen.withColumns({**habits, **slices, "outcome": silent})


def _of(usage: Usage) -> str:
    return f"{usage.wall_s:.0f} s, {usage.cpu_s:.0f} CPU s, {usage.peak_bytes / 2**30:.1f} GiB at most"


if __name__ == "__main__":
    main()
