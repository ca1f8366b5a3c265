"""Change moments: a subscriber's activity has fallen far below the own habit. From the features of a cut-off alone.

Three questions, each with the probability of so little by chance if the own habit still held:
- active days of the last 30 against those of the 150 before, and of the last 7 against the 83 before. If the rate is
  the same, the recent ones of n are Binomial(n, recent days / all days): the exact test of two Poisson rates, which
  allows for the habit being an estimate (Przyborowski, Wilenski 1940, Biometrika 31:313);
- days since the last event against the own gaps: exp(-recency / mean gap), the chance of a Poisson process of no event
  for so long; only where the wait is also longer than the longest gap.
A moment is there where the least of the three, times three (Bonferroni), is below the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from visitgrain.catalogue.churn import ChangeMoment
from visitgrain.churn.quality import Floats

# What was found, beside the usual.
ENGLISH = (
    ("active days in the last 30 days: ", ", usual: "),
    ("active days in the last 7 days: ", ", usual: "),
    ("days since the last event: ", ", longest gap before: "),
)
CHINESE = (
    ("近30天活跃天数：", "，平时："),
    ("近7天活跃天数：", "，平时："),
    ("距上次活动天数：", "，此前最长间隔："),
)
READS = ("recency", "tenure", "day_7", "day_30", "day_90", "day_180", "gap_mean", "gap_max")


class Moments(NamedTuple):
    """One per row: whether there is one, and in words why, English and Chinese, None where there is none."""

    flag: NDArray[np.bool_]
    reason: NDArray[np.object_]
    reason_zh: NDArray[np.object_]


def change_moments(columns: Mapping[str, Floats], settings: ChangeMoment) -> Moments:
    """Of the features READS, NaN = missing. Nobody with fewer than `min_days` active days before has one."""
    fewest, tenure = settings.min_days, columns["tenure"]
    month, month_usual = _fewer(columns["day_30"], columns["day_180"], 30, np.minimum(tenure, 180), fewest)
    week, week_usual = _fewer(columns["day_7"], columns["day_90"], 7, np.minimum(tenure, 90), fewest)
    wait, longest = columns["recency"], columns["gap_max"]
    with np.errstate(invalid="ignore", divide="ignore"):
        overdue = np.where(wait > longest, np.exp(-wait / columns["gap_mean"]), 1.0)
    overdue = np.where((columns["day_180"] >= fewest) & ~np.isnan(overdue), overdue, 1.0)
    chances = np.column_stack([month, week, overdue])
    flag = chances.min(axis=1) * chances.shape[1] < settings.limit
    told = (columns["day_30"], month_usual), (columns["day_7"], week_usual), (wait, longest)
    which = np.where(flag, chances.argmin(axis=1), -1)
    return Moments(flag, *(_worded(which, told, words) for words in (ENGLISH, CHINESE)))


def _fewer(recent: Floats, all_: Floats, days: int, span: Floats, fewest: int) -> tuple[Floats, Floats]:
    """P(as few in the last `days` of `span`, given all), 1 without a habit; and the usual number for so many days."""
    before = all_ - recent
    judged = (before >= fewest) & (span >= 2 * days)
    known = np.where(judged, span, 2.0 * days)
    chance = binom.cdf(np.where(judged, recent, 0), np.where(judged, all_, 0), days / known)
    return np.where(judged, chance, 1.0), before * days / (known - days)


def _worded(
    which: NDArray[np.int64], told: Sequence[tuple[Floats, Floats]], words: Sequence[tuple[str, str]]
) -> NDArray[np.object_]:
    """`which` of the questions is told of a row, -1 for none."""
    text = np.full(len(which), None, dtype=object)
    for number, (values, (before, between)) in enumerate(zip(told, words, strict=True)):
        rows = which == number
        found, usual = (np.char.mod("%g", np.round(each[rows], 1)) for each in values)
        text[rows] = np.char.add(np.char.add(before, found), np.char.add(between, usual))
    return text
