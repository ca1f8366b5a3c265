"""How good a score is: measures of (y, p), one definition each, so that numbers of two models or months compare.

`y` holds 1 for who was silent and 0 for who was not, `p` the score, higher for likelier silent; both one row per
(subscriber, cut-off). A measure that the labels leave undefined (AUC of one class, lift without a silent one) is nan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Measure = Callable[[ArrayLike, ArrayLike], float]

TOP_SHARE = 0.1
BINS = 10
CLIP = 1e-6
NAN = float("nan")


def checked(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    """Both as arrays of floats. Raises ValueError for other lengths, no rows, y other than 0 or 1, p not a number."""
    labels, scores = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(f"y and p are rows of one table: found shapes {labels.shape} and {scores.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("y holds 0 and 1 only")
    if np.isnan(scores).any():
        raise ValueError(f"p is missing in {int(np.isnan(scores).sum())} of {len(scores)} rows")
    return labels, scores


def cumulated(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    """Rows and silent ones with a score at or above each distinct score, from nobody (0, 0) to everybody."""
    labels, scores = checked(y, p)
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return np.append(0.0, ends + 1.0), np.append(0.0, np.cumsum(labels[order])[ends])


def auc(y: ArrayLike, p: ArrayLike) -> float:
    """Area under the ROC curve: the share of pairs (silent, not silent) in the right order; ties count half."""
    labels, scores = checked(y, p)
    silent = labels.sum()
    others = len(labels) - silent
    if not silent or not others:
        return NAN
    above = rankdata(scores)[labels == 1].sum() - silent * (silent + 1) / 2
    return float(above / (silent * others))


def average_precision(y: ArrayLike, p: ArrayLike) -> float:
    """PR-AUC: precision at each distinct score, weighted by the recall gained there; no interpolation."""
    rows, silent = cumulated(y, p)
    if not silent[-1]:
        return NAN
    return float(np.sum(np.diff(silent) * silent[1:] / rows[1:]) / silent[-1])


def _top(scores: Floats, share: float) -> NDArray[np.intp]:
    """The round(share x n) rows of the highest scores. Ties fall at random, each time alike."""
    at_random = np.random.default_rng(0).random(len(scores))
    return np.lexsort((at_random, -scores))[: round(share * len(scores))]


def lift(y: ArrayLike, p: ArrayLike, share: float = TOP_SHARE) -> float:
    """Rate of silence among the highest scores over that of everybody. Read it next to `lift_ceiling`."""
    labels, scores = checked(y, p)
    top = labels[_top(scores, share)]
    return float(top.mean() / labels.mean()) if len(top) and labels.any() else NAN


def lift_ceiling(y: ArrayLike, share: float = TOP_SHARE) -> float:
    """What no score can exceed: min(1 / base rate, 1 / share)."""
    base = float(np.mean(np.asarray(y, dtype=np.float64)))
    return min(1 / base, 1 / share) if base else NAN


def capture(y: ArrayLike, p: ArrayLike, share: float = TOP_SHARE) -> float:
    """Share of all silent ones who are among the highest scores."""
    labels, scores = checked(y, p)
    return float(labels[_top(scores, share)].sum() / labels.sum()) if labels.any() else NAN


def log_losses(y: ArrayLike, p: ArrayLike) -> Floats:
    """Log-loss of each row, natural logarithm, p clipped to [1e-6, 1 - 1e-6]."""
    labels, scores = checked(y, p)
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    return np.asarray(-np.log(np.where(labels == 1, clipped, 1 - clipped)))


def log_loss(y: ArrayLike, p: ArrayLike) -> float:
    """Mean of `log_losses`."""
    return float(log_losses(y, p).mean())


def squared_errors(y: ArrayLike, p: ArrayLike) -> Floats:
    """(p - y)^2 of each row."""
    labels, scores = checked(y, p)
    return (scores - labels) ** 2


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Mean of `squared_errors`."""
    return float(squared_errors(y, p).mean())


def equal_frequency_bins(p: Floats) -> NDArray[np.intp]:
    """Bin 0..9 of each score; edges are the quantiles 0, .1, ..., 1 of p. Ties leave bins empty."""
    edges = np.quantile(p, np.linspace(0, 1, BINS + 1))
    return np.clip(np.searchsorted(edges, p, side="right") - 1, 0, BINS - 1)


def ece(y: ArrayLike, p: ArrayLike) -> float:
    """Expected calibration error: mean distance of observed rate and mean p over equal-frequency bins.

    Biased upward in small samples: compare it only at equal n.
    """
    labels, scores = checked(y, p)
    # share x |mean y - mean p| of a bin is |sum (y - p)| / n
    return float(np.abs(np.bincount(equal_frequency_bins(scores), labels - scores)).sum() / len(labels))


def ece_by_chance(p: ArrayLike) -> float:
    """The ECE to expect of so many rows where every p is right: mean distance of a normal variable, bin by bin."""
    scores = np.asarray(p, dtype=np.float64)
    variances = np.bincount(equal_frequency_bins(scores), scores * (1 - scores))
    return float(np.sqrt(variances * 2 / np.pi).sum() / len(scores))


def scorecard(y: ArrayLike, p: ArrayLike) -> dict[str, float]:
    """All scalars of one set of rows, by the names they are logged under."""
    labels, scores = checked(y, p)
    return {
        "rows": float(len(labels)),
        "silent": float(labels.sum()),
        "base_rate": float(labels.mean()),
        "mean_score": float(scores.mean()),
        "auc": auc(labels, scores),
        "pr_auc": average_precision(labels, scores),
        "lift_at_10": lift(labels, scores),
        "lift_ceiling": lift_ceiling(labels),
        "capture_at_10": capture(labels, scores),
        "log_loss": log_loss(labels, scores),
        "brier": brier(labels, scores),
        "ece": ece(labels, scores),
    }


class PerMonth(NamedTuple):
    """A measure of each month, its mean and standard deviation (ddof 0) over months where it is defined."""

    months: dict[Any, float]
    mean: float
    sd: float


def per_month(y: ArrayLike, p: ArrayLike, month: ArrayLike, measure: Measure = auc) -> PerMonth:
    """`measure` of the rows of each month, in order of months."""
    labels, scores = checked(y, p)
    names, code = np.unique(np.asarray(month), return_inverse=True)
    values = np.array([measure(labels[code == place], scores[code == place]) for place in range(len(names))])
    defined = values[~np.isnan(values)]
    mean, sd = (float(defined.mean()), float(defined.std())) if len(defined) else (NAN, NAN)
    return PerMonth(dict(zip(names.tolist(), values.tolist(), strict=True)), mean, sd)
