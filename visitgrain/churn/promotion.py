"""Whether a challenger replaces the champion: better, calibrated, behind on no slice, and without a leak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from visitgrain.churn.leakage import SHUFFLED_TOLERANCE, SINGLE_FEATURE_LIMIT, is_blind, listed_features
from visitgrain.churn.quality import Floats, auc, ece
from visitgrain.churn.resampling import SEED, gain, gains_drawn

SLICE_SAMPLES = 200


@dataclass(frozen=True, slots=True)
class Gate:
    """Limits of a promotion.

    - `min_gain`: the lower bound of the AUC gain is above it. `confidence` is two-sided: at 0.99 an equal model passes
      once in 200 tries, not once in 40 as at 0.95, since somebody tries every month.
    - `max_ece`, `max_bias`: the latter is of mean score / observed rate from 1. Below 2,000 rows ECE is mostly noise.
    - `min_class_rows`: a slice is judged if it has as many silent and as many other rows.
    - `max_slice_loss`: a slice refuses if its AUC falls by more than that and the fall is beyond chance. Chance is
      `slice_error` for all slices together (Bonferroni): of equal models one in twenty is refused, however many slices.
    - `max_auc`: above, silence is not predicted but known.
    - `leak_list`: names of inputs, * and ? allowed, that belong to the label.
    """

    min_gain: float = 0.0
    confidence: float = 0.99
    samples: int = 1000
    max_ece: float = 0.03
    max_bias: float = 0.1
    min_class_rows: int = 50
    max_slice_loss: float = 0.01
    slice_error: float = 0.05
    max_auc: float = 0.98
    max_single_feature_auc: float = SINGLE_FEATURE_LIMIT
    shuffled_tolerance: float = SHUFFLED_TOLERANCE
    leak_list: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons`: what refuses the challenger, all of it; or what speaks for it."""

    promoted: bool
    reasons: tuple[str, ...]

    @property
    def outcome(self) -> str:
        return "promoted" if self.promoted else "not promoted"

    @property
    def brief(self) -> str:
        """For a list and the journal: the first reason."""
        more = len(self.reasons) - 1
        return f"{self.reasons[0]} (and {more} more, see the description)" if more else self.reasons[0]

    @property
    def listed(self) -> str:
        """All reasons, one a line. Markdown."""
        return "\n".join(f"- {reason}" for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class Contest:
    """Both models on the same rows of the same months, which neither was trained, chosen or calibrated on.

    One row per (subscriber, cut-off): labels, calibrated scores of the challenger, scores of the champion (in any
    unit) and subscribers. Without a champion, `opponent_name` is a baseline such as recency alone.
    `slices`: by name, the value of each row, missing being a value.
    `feature_aucs`: `leakage.single_feature_auc` of each input; without one the challenger is refused as unmeasured.
    `shuffled_auc`: of `leakage.shuffled_auc`.
    """

    y: ArrayLike
    challenger: ArrayLike
    opponent: ArrayLike
    subscriber: ArrayLike
    slices: Mapping[str, ArrayLike]
    feature_aucs: Mapping[str, float]
    shuffled_auc: float
    opponent_name: str = "champion"


def judge(contest: Contest, gate: Gate | None = None) -> Verdict:
    """The verdict. Raises ValueError where the rows do not fit together; a missing score of the challenger refuses."""
    limits = gate or Gate()
    y = np.asarray(contest.y, dtype=np.float64)
    new = np.asarray(contest.challenger, dtype=np.float64)
    wrong = int(np.sum(~((new >= 0) & (new <= 1))))
    if wrong:
        return Verdict(False, (f"{wrong} of {len(new)} scores are missing or outside 0-1",))
    if not 0 < y.mean() < 1:
        return Verdict(False, (f"all {len(y)} labels are equal: nothing can be judged",))
    checks = [
        _gain(contest, limits),
        *_calibration(y, new, limits),
        _slices(contest, limits),
        *_leaks(auc(y, new), contest, limits),
    ]
    refusals = tuple(words for passed, words in checks if not passed)
    return Verdict(not refusals, refusals or tuple(words for _, words in checks))


Check = tuple[bool, str]


def _gain(contest: Contest, gate: Gate) -> Check:
    y, new, old = contest.y, contest.challenger, contest.opponent
    found = gain(auc, y, new, old, contest.subscriber, samples=gate.samples, confidence=gate.confidence)
    words = (
        f"AUC {auc(y, new):.4f} against {auc(y, old):.4f} of the {contest.opponent_name}: gain {found.point:+.4f}, "
        f"{gate.confidence:.0%} interval {found.low:+.4f} to {found.high:+.4f}, to lie above {gate.min_gain:g}"
    )
    return found.low > gate.min_gain, words


def _calibration(y: Floats, p: Floats, gate: Gate) -> Iterator[Check]:
    error = ece(y, p)
    yield error <= gate.max_ece, f"ECE {error:.4f}, to be at most {gate.max_ece:g}"
    ratio = p.mean() / y.mean()
    words = f"mean score {p.mean():.4f} for an observed rate of {y.mean():.4f}: ratio {ratio:.3f}"
    yield abs(ratio - 1) <= gate.max_bias, f"{words}, to be within {gate.max_bias:g} of 1"


def _slices(contest: Contest, gate: Gate) -> Check:
    found = dict(slice_gains(contest, gate.min_class_rows))
    surely = norm.ppf(1 - gate.slice_error / max(len(found), 1))
    behind = [
        f"{name}: AUC {point:+.4f} +- {sd:.4f}"
        for name, (point, sd) in found.items()
        if point < -gate.max_slice_loss and point + surely * sd < 0
    ]
    if behind:
        return False, f"behind on {'; '.join(behind)}; at most -{gate.max_slice_loss:g} unless by chance"
    return True, f"behind on none of {len(found)} slices"


def slice_gains(contest: Contest, min_class_rows: int) -> Iterator[tuple[str, tuple[float, float]]]:
    """'name = value' of each slice with enough rows of both classes, AUC gain and its standard deviation."""
    y, new, old = (np.asarray(rows) for rows in (contest.y, contest.challenger, contest.opponent))
    subscriber = np.asarray(contest.subscriber)
    for name, values in contest.slices.items():
        code, labels = pd.factorize(np.asarray(values), use_na_sentinel=False)
        silent = np.bincount(code, y, minlength=len(labels))
        others = np.bincount(code, minlength=len(labels)) - silent
        for place in np.flatnonzero(np.minimum(silent, others) >= min_class_rows):
            rows = code == place
            part = (y[rows], new[rows], old[rows])
            drawn = gains_drawn(auc, *part, subscriber[rows], samples=SLICE_SAMPLES, seed=SEED)
            point = auc(y[rows], new[rows]) - auc(y[rows], old[rows])
            value = "missing" if pd.isna(labels[place]) else labels[place]
            yield f"{name} = {value}", (point, float(np.nanstd(drawn)))


def _leaks(found: float, contest: Contest, gate: Gate) -> Iterator[Check]:
    yield found <= gate.max_auc, f"AUC {found:.4f}, to be at most {gate.max_auc:g}: more would not be credible"
    measured = contest.feature_aucs
    leaky = {name: value for name, value in measured.items() if not value <= gate.max_single_feature_auc}
    words = ", ".join(f"{name} with AUC {value:.4f}" for name, value in leaky.items()) or "none"
    words = f"of {len(measured)} inputs those telling the label alone (above {gate.max_single_feature_auc:g}): {words}"
    yield bool(measured) and not leaky, words
    listed = listed_features(measured, gate.leak_list)
    yield not listed, f"inputs on the leak list of the label: {', '.join(listed) or 'none'}"
    words = f"AUC on shuffled labels {contest.shuffled_auc:.4f}, to be 0.5 +- {gate.shuffled_tolerance:g}"
    yield is_blind(contest.shuffled_auc, gate.shuffled_tolerance), words
