"""How sure a measure is: bootstrap samples of subscribers, all rows of one together.

The same subscriber has a row in many months; resampling rows would count one habit many times and make intervals
too narrow. A sample is a weight per row, so that AUC sorts once and not once per sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from visitgrain.churn.quality import NAN, Floats, Measure, auc, brier, checked, log_loss, log_losses, squared_errors

SAMPLES = 200
SEED = 1
CONFIDENCE = 0.95
Weights = NDArray[np.int64]
Weighted = Callable[[Weights], float]


class Interval(NamedTuple):
    """A measure on all rows and its percentile interval over samples; in the unit of the measure."""

    point: float
    low: float
    high: float


def interval(
    measure: Measure,
    y: ArrayLike,
    p: ArrayLike,
    subscriber: ArrayLike,
    *,
    samples: int = SAMPLES,
    seed: int = SEED,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Percentile interval of `measure`. Samples in which it is undefined do not count."""
    weighted = weighted_form(measure, y, p)
    drawn = np.array([weighted(weights) for weights in draws(_one_each(subscriber, y), samples, seed)])
    return Interval(measure(y, p), *_percentiles(drawn, confidence))


def gain(
    measure: Measure,
    y: ArrayLike,
    p_new: ArrayLike,
    p_old: ArrayLike,
    subscriber: ArrayLike,
    *,
    samples: int = SAMPLES,
    seed: int = SEED,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of measure(p_new) - measure(p_old), both on the same samples. Of a loss, a gain is negative."""
    drawn = gains_drawn(measure, y, p_new, p_old, subscriber, samples=samples, seed=seed)
    return Interval(measure(y, p_new) - measure(y, p_old), *_percentiles(drawn, confidence))


def gains_drawn(
    measure: Measure,
    y: ArrayLike,
    p_new: ArrayLike,
    p_old: ArrayLike,
    subscriber: ArrayLike,
    *,
    samples: int,
    seed: int,
) -> Floats:
    """measure(p_new) - measure(p_old) of each sample."""
    new, old = weighted_form(measure, y, p_new), weighted_form(measure, y, p_old)
    return np.array([new(weights) - old(weights) for weights in draws(_one_each(subscriber, y), samples, seed)])


def draws(subscriber: ArrayLike, samples: int, seed: int) -> Iterator[Weights]:
    """Per sample, how often each row's subscriber was drawn: as many draws, with replacement, as subscribers."""
    code, names = pd.factorize(np.asarray(subscriber), use_na_sentinel=False)
    random = np.random.default_rng(seed)
    for _ in range(samples):
        yield np.bincount(random.integers(0, len(names), len(names)), minlength=len(names))[code]


def weighted_form(measure: Measure, y: ArrayLike, p: ArrayLike) -> Weighted:
    """The measure as a function of weights only. Any measure works, by repeating rows; AUC and means are fast."""
    if measure is auc:
        return weighted_auc(y, p)
    if measure is log_loss:
        return _weighted_mean(log_losses(y, p))
    if measure is brier:
        return _weighted_mean(squared_errors(y, p))
    labels, scores = checked(y, p)

    def repeated(weights: Weights) -> float:
        rows = np.repeat(np.arange(len(labels)), weights)
        return measure(labels[rows], scores[rows])

    return repeated


def _weighted_mean(values: Floats) -> Weighted:
    return lambda weights: float(weights @ values / weights.sum())


def weighted_auc(y: ArrayLike, p: ArrayLike) -> Weighted:
    """AUC with ties half: each silent row counts the others below it, and half of those at its score."""
    labels, scores = checked(y, p)
    order = np.argsort(scores, kind="stable")
    silent, others = order[labels[order] == 1], order[labels[order] == 0]
    below = np.searchsorted(scores[others], scores[silent], side="left")
    up_to = np.searchsorted(scores[others], scores[silent], side="right")

    def weighted(weights: Weights) -> float:
        others_before = np.append(0, np.cumsum(weights[others]))
        of_silent = weights[silent]
        pairs = float(of_silent.sum()) * float(others_before[-1])
        return float(of_silent @ (others_before[below] + others_before[up_to])) / 2 / pairs if pairs else NAN

    return weighted


def _one_each(subscriber: ArrayLike, y: ArrayLike) -> NDArray[Any]:
    subscribers = np.asarray(subscriber)
    if subscribers.shape != np.shape(y):
        raise ValueError(f"one subscriber per row of y: found shapes {subscribers.shape} and {np.shape(y)}")
    return subscribers


def _percentiles(drawn: Floats, confidence: float) -> tuple[float, float]:
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return NAN, NAN
    low, high = np.percentile(defined, [50 * (1 - confidence), 50 * (1 + confidence)])
    return float(low), float(high)
