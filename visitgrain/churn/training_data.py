"""Labelled rows -> what models are trained, chosen and tested on: months in order, never a random split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.churn import ChurnSettings, Months
from visitgrain.churn.model_rows import SLICES, FeatureSet
from visitgrain.churn.panel import Panel
from visitgrain.errors import InputMissing

FEWEST = 3  # cut-offs: one to train on, one to choose on, one to test on
UNKNOWN = "unknown"
Slices = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Split:
    """Cut-off months, oldest first."""

    train: tuple[Any, ...]
    choose: tuple[Any, ...]
    test: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """`fitting` lies before `choosing`, that before `testing`. `counts`: all rows of each month, and those with the
    outcome; `share`: of the subscribers that came to the driver."""

    features: FeatureSet
    fitting: Panel
    choosing: Panel
    testing: Panel
    slices: Slices  # of the test rows
    split: Split
    counts: dict[str, dict[str, int]]
    share: float


def split_of(months: list[Any], wanted: Months) -> Split:
    """The last months test, those before choose, the rest trains. A short history tests and chooses on fewer.

    Raises InputMissing under three months.
    """
    if len(months) < FEWEST:
        raise InputMissing(
            f"churn: {len(months)} cut-off months have labels, {FEWEST} are needed: one to train on, one to choose on, "
            "one to test on. Run monthly_churn for more months"
        )
    test = min(wanted.test, len(months) // FEWEST)
    choose = min(wanted.choose, (len(months) - test) // 2)
    train = months[: len(months) - test - choose]
    first = len(train) - wanted.train if wanted.train else 0
    return Split(tuple(train[max(first, 0) :]), tuple(months[-test - choose : -test]), tuple(months[-test:]))


def collected(rows: DataFrame, features: FeatureSet, settings: ChurnSettings) -> TrainingData:
    """Whole subscribers, by hash, where there are too many rows. Features that hardly anybody has are left out."""
    by_month = rows.groupBy("month").agg(F.count(F.lit(1)).alias("rows"), F.sum("outcome").alias("positive")).collect()
    counts = {
        row.month: {"rows": row.rows, "positive": int(row.positive)} for row in sorted(by_month, key=lambda r: r.month)
    }
    split = split_of(list(counts), settings.months)
    used = (*split.train, *split.choose, *split.test)
    total = sum(counts[month]["rows"] for month in used)
    share = min(1.0, settings.most_rows / total)
    wanted = rows.where(F.col("month").isin(*used) & in_sample(share, settings.seed))
    table = wanted.select("subscriber_id", "month", "outcome", *SLICES, *features.names).toArrow()
    month, subscriber = (numbers(table, "month", "datetime64[M]"), numbers(table, "subscriber_id", "int64"))
    order = np.lexsort((subscriber, month))  # rows come in any order; models depend on it
    month, subscriber, silent = month[order], subscriber[order], numbers(table, "outcome", "float64")[order]
    training = month < np.datetime64(split.choose[0], "M")
    kept = features.only(
        [name for name in features.names if coverage(table, name, order[training]) >= settings.minimum_coverage]
    )
    x = np.empty((len(order), len(kept.names)))
    for place, name in enumerate(kept.names):
        x[:, place] = numbers(table, name, "float64")[order]
    panel = Panel(kept.names, x, silent, month, subscriber)
    testing = month >= np.datetime64(split.test[0], "M")
    slices = {name: np.array(table[name].fill_null(UNKNOWN).to_pylist(), dtype=object)[order] for name in SLICES}
    return TrainingData(
        kept,
        panel.where(training),
        panel.where(~training & ~testing),
        panel.where(testing),
        {name: values[testing] for name, values in slices.items() if name in settings.slices},
        split,
        {str(month): found for month, found in counts.items() if month in used},
        share,
    )


def in_sample(share: float, seed: int) -> Column:
    """Whole subscribers, the same ones on every run; everybody where `share` is 1."""
    if share >= 1:
        return F.lit(True)
    return F.pmod(F.xxhash64("subscriber_id", F.lit(seed)), F.lit(1_000_000)) < F.lit(int(share * 1_000_000))


def numbers(table: pa.Table, name: str, kind: str) -> NDArray[Any]:
    return np.asarray(table[name].to_numpy().astype(kind))


def coverage(table: pa.Table, name: str, rows: NDArray[Any]) -> float:
    """Share of the rows with a value; 0 for one that is the same everywhere."""
    values = numbers(table, name, "float64")[rows]
    known = values[~np.isnan(values)]
    constant = len(known) == len(values) and bool(len(known)) and known.min() == known.max()
    return 0.0 if constant or not len(values) else len(known) / len(values)
