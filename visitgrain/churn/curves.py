"""A score at a glance: deciles, gains, reliability, and who is caught from each tier upwards."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from visitgrain.churn.quality import BINS, checked, cumulated, equal_frequency_bins
from visitgrain.churn.tiers import CutPoints


class Decile(NamedTuple):
    """A tenth of the rows by score; decile 1 holds the highest. `lift` is nan where nobody is silent."""

    decile: int
    rows: int
    observed: float
    predicted: float
    lift: float


class Gain(NamedTuple):
    """The highest `share` of scores holds `captured` of all silent ones (both 0-1)."""

    share: float
    captured: float


class Reliability(NamedTuple):
    """A bin of like scores: mean score and observed rate, equal where the score is calibrated."""

    rows: int
    predicted: float
    observed: float


class Confusion(NamedTuple):
    """Counts when everybody at or above a threshold is held to be silent."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def precision(self) -> float:
        flagged = self.true_positives + self.false_positives
        return self.true_positives / flagged if flagged else float("nan")

    @property
    def recall(self) -> float:
        silent = self.true_positives + self.false_negatives
        return self.true_positives / silent if silent else float("nan")


def deciles(y: ArrayLike, p: ArrayLike) -> list[Decile]:
    """Ten groups of equal size by descending score, ties in order of appearance. Fewer groups below ten rows."""
    labels, scores = checked(y, p)
    order = np.argsort(-scores, kind="stable")
    group = np.arange(len(order)) * 10 // len(order)
    sizes = np.bincount(group, minlength=10)
    observed, predicted = (np.bincount(group, values[order], minlength=10) for values in (labels, scores))
    base = labels.mean()
    return [
        Decile(
            decile=place + 1,
            rows=int(rows),
            observed=float(observed[place] / rows),
            predicted=float(predicted[place] / rows),
            lift=float(observed[place] / rows / base) if base else float("nan"),
        )
        for place, rows in enumerate(sizes)
        if rows
    ]


def gains(y: ArrayLike, p: ArrayLike, points: int = 101) -> list[Gain]:
    """Captured share at `points` even shares from 0 to 1. Among equal scores the silent ones are spread evenly."""
    rows, silent = cumulated(y, p)
    shares = np.linspace(0, 1, points)
    captured = np.interp(shares, rows / rows[-1], silent / silent[-1]) if silent[-1] else np.full(points, np.nan)
    return [Gain(float(share), float(part)) for share, part in zip(shares, captured, strict=True)]


def reliability(y: ArrayLike, p: ArrayLike) -> list[Reliability]:
    """The bins that ECE is the mean distance of, from low to high; empty ones are left out."""
    labels, scores = checked(y, p)
    group = equal_frequency_bins(scores)
    sizes = np.bincount(group, minlength=BINS)
    observed, predicted = (np.bincount(group, values, minlength=BINS) for values in (labels, scores))
    return [
        Reliability(int(rows), float(predicted[place] / rows), float(observed[place] / rows))
        for place, rows in enumerate(sizes)
        if rows
    ]


def confusion(y: ArrayLike, p: ArrayLike, threshold: float) -> Confusion:
    """Who is caught and who is disturbed when everybody with p >= threshold is addressed."""
    labels, scores = checked(y, p)
    counts = np.bincount(2 * (labels == 1).astype(int) + (scores >= threshold), minlength=4)
    true_negatives, false_positives, false_negatives, true_positives = counts.tolist()
    return Confusion(true_positives, false_positives, false_negatives, true_negatives)


def confusion_at_tiers(y: ArrayLike, p: ArrayLike, cut_points: CutPoints) -> dict[str, Confusion]:
    """By the lowest tier that is addressed: `mid` means mid and high."""
    return {"mid": confusion(y, p, cut_points.mid), "high": confusion(y, p, cut_points.high)}
