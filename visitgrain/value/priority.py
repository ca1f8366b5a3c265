"""Whom to care for first: risk times value, and matrices of levels. Cut points are frozen from a reference month.

Missing numbers are NaN. They have no priority, and no level: level 0, in words "unknown".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
HALVES, THIRDS = ("low", "high"), ("low", "mid", "high")
UNKNOWN = "unknown"
CARE = {  # (value, risk) -> what to do
    ("high", "high"): "rescue",
    ("high", "low"): "keep",
    ("low", "high"): "remind",
    ("low", "low"): "leave",
}


@dataclass(frozen=True)
class CutPoints:
    """Where level 2, 3, … of a number begin, rising; null = nobody of the reference was that high."""

    reference: str  # what they were taken from, e.g. 2026-03
    points: tuple[float | None, ...]

    def levels(self, values: ArrayLike) -> NDArray[np.int64]:
        """1 for values below the first point, one more from each point on; 0 where NaN. Equal values share a level."""
        values = np.asarray(values, dtype=float)
        points = [point for point in self.points if point is not None]
        return np.where(np.isnan(values), 0, 1 + np.searchsorted(points, values, side="right"))

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "points": list(self.points)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CutPoints:
        return cls(values["reference"], tuple(values["points"]))


def cut_points(values: ArrayLike, levels: int, reference: str, weights: ArrayLike | None = None) -> CutPoints:
    """Cut points that make `levels` groups of equal size of the known `values`, as nearly as ties allow.

    A point is the first value with at least 1/levels, 2/levels, … of all below it, and above the point before it: ties
    stay together, in the lower group. `weights`: how many have each value. Raises ValueError for fewer than 2 levels.
    """
    if levels < 2:
        raise ValueError(f"levels={levels}: one level needs no cut points; ask for 2 or more")
    values = np.asarray(values, dtype=float).ravel()
    counts = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float).ravel()
    known = ~np.isnan(values)
    distinct, place = np.unique(values[known], return_inverse=True)
    sizes = np.bincount(place, weights=counts[known], minlength=len(distinct))
    below, total = np.cumsum(sizes) - sizes, sizes.sum()
    points: list[float | None] = []
    start = 1  # the least value is in level 1, whatever it is
    for level in range(1, levels):
        far = start + np.flatnonzero(levels * below[start:] >= level * total)
        points.append(float(distinct[far[0]]) if len(far) else None)
        start = far[0] + 1 if len(far) else len(distinct)
    return CutPoints(reference, tuple(points))


def value_at_risk(risk: ArrayLike, value: ArrayLike) -> Array:
    """Risk (0-1) times value, in the unit of value: what is expected to be lost. NaN where either is.

    Raises ValueError for a risk outside 0-1.
    """
    chance: Array = np.asarray(risk, dtype=float)
    if ((chance < 0) | (chance > 1)).any():
        raise ValueError("risk is a probability; some values lie outside 0-1")
    lost: Array = chance * np.asarray(value, dtype=float)
    return lost


def ranks(priority: ArrayLike, identifiers: ArrayLike) -> NDArray[np.int64]:
    """1 for the greatest priority; ties in order of the identifiers, whatever order the rows come in; NaN last."""
    order = np.lexsort((np.asarray(identifiers), -np.asarray(priority, dtype=float)))
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.arange(1, len(order) + 1)
    return found


def care(value_levels: ArrayLike, risk_levels: ArrayLike) -> NDArray[np.str_]:
    """Cell of the four-cell matrix, value x risk in halves: rescue, keep, remind, leave; unknown."""
    return _cells(value_levels, risk_levels, HALVES, CARE)


def value_and_stability(value_levels: ArrayLike, stability_levels: ArrayLike) -> NDArray[np.str_]:
    """Cell of the matrix value x stability in thirds: "high value, low stability" and so on; unknown."""
    names = {(one, two): f"{one} value, {two} stability" for one in THIRDS for two in THIRDS}
    return _cells(value_levels, stability_levels, THIRDS, names)


def _cells(
    first: ArrayLike, second: ArrayLike, words: Sequence[str], names: Mapping[tuple[str, str], str]
) -> NDArray[np.str_]:
    first, second = np.asarray(first), np.asarray(second)
    size = len(words) + 1
    if ((first < 0) | (first >= size) | (second < 0) | (second >= size)).any():
        raise ValueError(f"levels are 0 (unknown) to {size - 1}")
    grid = np.full((size, size), UNKNOWN, dtype=object)
    for row, one in enumerate(words, start=1):
        for column, two in enumerate(words, start=1):
            grid[row, column] = names[one, two]
    cells: NDArray[np.str_] = grid.astype(str)[first, second]
    return cells
