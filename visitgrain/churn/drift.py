"""Whether inputs and scores still look as they did in training: the population stability index.

PSI = sum over bins of (a - b) ln(a / b), a and b the shares of the current and the reference rows. 0.2 asks for a
look, 0.3 stops the export of scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

ALERT = 0.2
BLOCK = 0.3


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference rows of one feature in bins: what a later month is compared with, without the rows themselves.

    Bin i holds edges[i-1] < value <= edges[i]; the last count is that of missing values (nan).
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def to_dict(self) -> dict[str, list[float]]:
        """For JSON."""
        return {"edges": list(self.edges), "counts": list(self.counts)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Reference:
        return cls(tuple(map(float, saved["edges"])), tuple(map(int, saved["counts"])))

    def count(self, values: ArrayLike) -> NDArray[np.int64]:
        """Other values in these bins, in the order of `counts`."""
        return _counts(np.array(self.edges), np.asarray(values, dtype=np.float64))


def reference(values: ArrayLike) -> Reference:
    """Deciles of the values as bins. A value that fills a tenth or more, as of a constant, has a bin of its own."""
    numbers = np.asarray(values, dtype=np.float64)
    known = np.sort(numbers[~np.isnan(numbers)])
    edges: NDArray[np.float64] = np.array([])
    if len(known):
        # observed values, not averages of two: a repeated one is recognised, infinite ones do no harm
        cuts = known[np.maximum(-(-len(known) * np.arange(11) // 10) - 1, 0)]
        value, times = np.unique(cuts, return_counts=True)
        often = value[times > 1]
        with np.errstate(over="ignore"):  # below the least number there is -inf
            edges = np.unique(np.concatenate([cuts[1:-1], often, np.nextafter(often, -np.inf)]))
    return Reference(tuple(edges.tolist()), tuple(_counts(edges, numbers).tolist()))


def psi(before: Reference | ArrayLike, current: ArrayLike) -> float:
    """PSI of the current values. An empty bin counts as half a row, one empty on both sides not at all.

    Raises ValueError where one side has no rows.
    """
    ref = before if isinstance(before, Reference) else reference(before)
    return psi_of_counts(ref.counts, ref.count(current))


def psi_of_counts(before: ArrayLike, current: ArrayLike) -> float:
    """PSI of rows that are counted by bin already, in the order of `Reference.counts`."""
    old, new = np.asarray(before), np.asarray(current)
    if not old.sum() or not new.sum():
        raise ValueError(f"PSI compares rows with rows: found {old.sum()} before and {new.sum()} now")
    used = (old > 0) | (new > 0)
    b, a = (np.maximum(counts[used], 0.5) / counts.sum() for counts in (old, new))
    return float(np.sum((a - b) * np.log(a / b)))


def psi_by_chance(before: ArrayLike, current: ArrayLike, confidence: float = 0.999) -> float:
    """PSI that rows of one and the same distribution stay under with this confidence: much, where they are few.

    PSI is about (1/n + 1/m) x chi-squared with bins - 1 degrees of freedom (Yurdakul 2018, Western Michigan U.).
    """
    old, new = np.asarray(before), np.asarray(current)
    bins = int(((old > 0) | (new > 0)).sum())
    return float((1 / old.sum() + 1 / new.sum()) * chi2.ppf(confidence, bins - 1)) if bins > 1 else 0.0


def drift_of(before: Reference, current: ArrayLike, limit: float) -> tuple[float, float]:
    """PSI of counts, and at most how much is no drift: `limit`, or what chance does to so few rows."""
    return psi_of_counts(before.counts, current), max(limit, psi_by_chance(before.counts, current))


def references(features: Mapping[str, ArrayLike]) -> dict[str, Reference]:
    """A reference of each feature, by name."""
    return {name: reference(values) for name, values in features.items()}


def psi_of_features(before: Mapping[str, Reference], current: Mapping[str, ArrayLike]) -> dict[str, float]:
    """PSI by name, the most drifted first. Raises ValueError where names differ: a missing input is no drift."""
    if set(before) != set(current):
        missing, extra = sorted(set(before) - set(current)), sorted(set(current) - set(before))
        raise ValueError(f"features differ from those of the reference: missing {missing}, not known {extra}")
    found = {name: psi(before[name], current[name]) for name in before}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _counts(edges: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    known = values[~np.isnan(values)]
    bins = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.append(bins, len(values) - len(known))
