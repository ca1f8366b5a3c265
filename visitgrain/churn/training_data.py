"""Labelled rows -> what models are trained, chosen and tested on: months in order, never a random split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.churn import ChurnSettings, Months
from visitgrain.churn.model_rows import SLICES, FeatureSet
from visitgrain.churn.panel import Panel
from visitgrain.churn.sent_rows import SentRows
from visitgrain.errors import InputMissing

FEWEST = 3  # cut-offs: one to train on, one to choose on, one to test on
Slices = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Split:
    """Cut-off months, oldest first."""

    train: tuple[Any, ...]
    choose: tuple[Any, ...]
    test: tuple[Any, ...]

    @property
    def firsts(self) -> tuple[np.datetime64, np.datetime64]:
        """First month to choose on, and to test on."""
        return np.datetime64(self.choose[0], "M"), np.datetime64(self.test[0], "M")


@dataclass(frozen=True, eq=False)
class TrainingData:
    """`learning` are rows in order of their months, of which those from `choose_from` on choose; `testing` come after.

    `left_out`: features that nothing is learnt from, and why. `slices` are of the test rows; `counts`: all rows of each
    month, and those with the outcome; `share`: of the subscribers that came to the driver.
    """

    features: FeatureSet
    left_out: dict[str, str]
    learning: Panel
    choose_from: int
    testing: Panel
    slices: Slices
    split: Split
    counts: dict[str, dict[str, int]]
    share: float

    @cached_property
    def fitting(self) -> Panel:
        """A view: millions of rows are held once."""
        return self.learning.part(0, self.choose_from)

    @cached_property
    def choosing(self) -> Panel:
        return self.learning.part(self.choose_from, len(self.learning))


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
    """Whole subscribers, by hash, where there are too many rows. Features that hardly anybody has, or that
    are another thing in the choosing months than before, are left out."""
    by_month = rows.groupBy("month").agg(F.count(F.lit(1)).alias("rows"), F.sum("outcome").alias("positive")).collect()
    counts = {
        row.month: {"rows": row.rows, "positive": int(row.positive)} for row in sorted(by_month, key=lambda r: r.month)
    }
    split = split_of(list(counts), settings.months)
    used = (*split.train, *split.choose, *split.test)
    total = sum(counts[month]["rows"] for month in used)
    share = min(1.0, settings.most_rows / total)
    wanted = rows.where(F.col("month").isin(*used) & in_sample(share, settings.seed))
    columns = wanted.select("subscriber_id", "month", "outcome", *SLICES, *features.names)
    with SentRows(columns, int(total * share)) as sent:
        kept, left_out = sent.learnable(
            features,
            choose=split.firsts[0],
            test=split.firsts[1],
            least=settings.minimum_coverage,
            most=settings.most_drift,
        )
        panel, order = sent.panel(kept, "outcome")
        choose, test = np.searchsorted(panel.month, split.firsts).tolist()
        slices: Slices = {name: sent.texts(name, order[test:]) for name in settings.slices}
    return TrainingData(
        kept,
        left_out,
        panel.part(0, test),
        choose,
        panel.part(test, len(panel)),
        slices,
        split,
        {str(month): found for month, found in counts.items() if month in used},
        share,
    )


def in_sample(share: float, seed: int) -> Column:
    """Whole subscribers, the same ones on every run; everybody where `share` is 1."""
    if share >= 1:
        return F.lit(True)
    return F.pmod(F.xxhash64("subscriber_id", F.lit(seed)), F.lit(1_000_000)) < F.lit(int(share * 1_000_000))
