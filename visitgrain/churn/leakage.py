"""Whether a panel knows the future: features that tell the label by themselves, by name or by a pipeline that peeks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from visitgrain.churn.quality import NAN, auc

SINGLE_FEATURE_LIMIT = 0.95
SHUFFLED_TOLERANCE = 0.03
Panel = TypeVar("Panel")
Judged = tuple[ArrayLike, ArrayLike]


def single_feature_auc(values: ArrayLike, y: ArrayLike) -> float:
    """0.5-1: AUC of a numeric feature as a score, upwards or downwards, whichever is higher.

    A missing value (nan) is a value of its own. It ranks once below and once above all others and the higher AUC
    counts, as a leak may lie in who has a value at all. nan where all labels are equal.
    """
    numbers = np.asarray(values, dtype=np.float64)
    missing = np.isnan(numbers)
    # dense ranks from 1, as infinite values leave no room outside of them
    ranks = np.unique(numbers, return_inverse=True)[1] + 1
    ends = (0, len(numbers) + 1) if missing.any() else (0,)
    found = [auc(y, np.where(missing, end, ranks)) for end in ends]
    return max(max(one, 1 - one) for one in found)


def leaky_features(
    features: Mapping[str, ArrayLike], y: ArrayLike, limit: float = SINGLE_FEATURE_LIMIT
) -> dict[str, float]:
    """Features whose AUC alone exceeds the limit, the worst first: no behaviour before T tells that much."""
    found = {name: single_feature_auc(values, y) for name, values in features.items()}
    leaky = {name: value for name, value in found.items() if value > limit}
    return dict(sorted(leaky.items(), key=lambda item: -item[1]))


def listed_features(names: Iterable[str], leak_list: Iterable[str]) -> list[str]:
    """Names that the leak list of the label forbids; its entries may use * and ?."""
    patterns = list(leak_list)
    return sorted(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))


def shuffled_auc(
    fit_and_score: Callable[[Panel, ArrayLike], Judged], panel: Panel, y: ArrayLike, *, seed: int = 0, repeats: int = 1
) -> float:
    """Mean AUC over `repeats` shuffles of the labels: 0.5 but for chance, or the pipeline carries labels over.

    `fit_and_score(panel, y)` is the whole pipeline, splitting and resampling included, and returns (y, p) of the rows
    it holds out.
    """
    random = np.random.default_rng(seed)
    found = [auc(*fit_and_score(panel, random.permutation(np.asarray(y)))) for _ in range(repeats)]
    return float(np.mean(found)) if found else NAN


def is_blind(shuffled: float, tolerance: float = SHUFFLED_TOLERANCE) -> bool:
    """Whether an AUC on shuffled labels is 0.5 within the tolerance; not if it is nan."""
    return abs(shuffled - 0.5) <= tolerance
