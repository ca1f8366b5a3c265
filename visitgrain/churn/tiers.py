"""Risk tiers of calibrated scores: cut points chosen once per model version, then the same for every month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

TIERS = ("low", "mid", "high")


@dataclass(frozen=True, slots=True)
class CutPoints:
    """`mid` starts at p >= mid, `high` at p >= high. Raises ValueError where high is below mid or one is no number."""

    mid: float
    high: float

    def __post_init__(self) -> None:
        if not self.mid <= self.high:
            raise ValueError(f"cut points: mid {self.mid!r} is to be at most high {self.high!r}")


def level(p: ArrayLike, cut_points: CutPoints) -> NDArray[np.int8]:
    """The place in TIERS of each score. Raises ValueError for a missing score: nobody is low risk unseen."""
    scores = np.asarray(p, dtype=np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"p is missing in {int(np.isnan(scores).sum())} of {len(scores)} rows")
    return (scores >= cut_points.mid).astype(np.int8) + (scores >= cut_points.high)


def tier(p: ArrayLike, cut_points: CutPoints) -> NDArray[np.str_]:
    """'low', 'mid' or 'high' of each score. Raises ValueError as `level`."""
    return np.asarray(np.array(TIERS)[level(p, cut_points)])


def cut_points_by_capacity(reference: ArrayLike, *, mid_share: float, high_share: float) -> CutPoints:
    """Thresholds that put at most `high_share` of the reference scores in high and at most `mid_share` in mid.

    Shares are 0-1 of the population. Later months keep the thresholds, so their shares move with the risk.
    Raises ValueError for shares below 0 or above 1 in total, and for a reference without scores.
    """
    scores = np.sort(np.asarray(reference, dtype=np.float64))[::-1]
    if not len(scores) or np.isnan(scores).any():
        raise ValueError("capacity is measured on a reference of scores: found none, or missing ones")
    if min(mid_share, high_share) < 0 or mid_share + high_share > 1:
        raise ValueError(f"shares are 0-1 and at most 1 together: mid {mid_share!r}, high {high_share!r}")
    return CutPoints(mid=_at_most(scores, mid_share + high_share), high=_at_most(scores, high_share))


def _at_most(scores: NDArray[np.float64], share: float) -> float:
    """The lowest threshold with at most `share` of the scores (descending) at or above it. Ties stay together."""
    capacity = int(share * len(scores) + 1e-9)  # 0.29 x 100 is 28.999...
    if capacity == len(scores):
        return 0.0
    admitted = scores[scores > scores[capacity]]
    return float(admitted[-1]) if len(admitted) else float(np.nextafter(scores[0], np.inf))
