"""The panel as arrays, and what every learner and every fitted model of it can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visitgrain.churn.quality import Floats

AT_ONCE = 100_000  # rows: what is made of more of them in passing would be as large as they are


@dataclass(frozen=True, eq=False)
class Panel:
    """One row per subscriber and cut-off. Raises ValueError where shapes disagree or a feature is infinite."""

    features: tuple[str, ...]
    x: Floats  # (rows, features), NaN = missing
    y: Floats  # 1 = silent in the month after the cut-off, else 0
    month: NDArray[np.datetime64]  # of the cut-off, datetime64[M]
    subscriber: NDArray[np.int64]

    def __post_init__(self) -> None:
        rows = len(self.y)
        if self.x.shape != (rows, len(self.features)) or len(self.month) != rows or len(self.subscriber) != rows:
            found = (self.x.shape, len(self.month), len(self.subscriber))
            raise ValueError(f"x is (rows, features) = {(rows, len(self.features))}; x, month, subscriber are {found}")
        if any(np.isinf(self.x[start : start + AT_ONCE]).any() for start in range(0, rows, AT_ONCE)):
            raise ValueError("a feature is infinite; missing is NaN")

    def __len__(self) -> int:
        return len(self.y)

    def where(self, rows: NDArray[Any]) -> Panel:
        """The rows that a mask or positions choose."""
        return Panel(self.features, self.x[rows], self.y[rows], self.month[rows], self.subscriber[rows])

    def part(self, start: int, stop: int) -> Panel:
        """The rows from `start` up to `stop`, as a view."""
        rows = slice(start, stop)
        return Panel(self.features, self.x[rows], self.y[rows], self.month[rows], self.subscriber[rows])

    def joined(self, other: Panel | None) -> Panel:
        """These rows, then those of `other`. Raises ValueError where the features differ."""
        if other is None:
            return self
        if other.features != self.features:
            raise ValueError("panels with different features are not joined")
        return Panel(
            self.features,
            np.concatenate([self.x, other.x]),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.month, other.month]),
            np.concatenate([self.subscriber, other.subscriber]),
        )


def panel_of(features: tuple[str, ...], x: ArrayLike, y: ArrayLike, month: ArrayLike, subscriber: ArrayLike) -> Panel:
    """A Panel of anything array-like, in the types that Panel promises."""
    return Panel(
        features,
        np.ascontiguousarray(x, dtype=np.float64),
        np.asarray(y, dtype=np.float64),
        np.asarray(month, dtype="datetime64[M]"),
        np.asarray(subscriber, dtype=np.int64),
    )


def split_choosing(train: Panel, months: int = 4) -> tuple[Panel, Panel]:
    """The earlier rows, and those of the last `months` cut-offs. Raises ValueError when nothing earlier is left."""
    known = np.unique(train.month)
    if len(known) <= months:
        raise ValueError(f"{len(known)} cut-offs cannot leave {months} for choosing and one for fitting")
    late = train.month >= known[-months]
    return train.where(~late), train.where(late)


class Fitted(Protocol):
    """A model. `x` has the columns of the panel it was fitted on, in that order; ValueError otherwise."""

    @property
    def features(self) -> tuple[str, ...]: ...

    def score(self, x: Floats) -> Floats:
        """Raw (not calibrated) probability of silence, one per row."""

    def contributions(self, x: Floats) -> tuple[Floats, float]:
        """Log-odds per row and feature, and the baseline: sigmoid(sum of a row + baseline) is its score."""

    def importance(self) -> dict[str, float]:
        """Share of each feature that is used, largest first; they sum to 1."""

    def parameters(self) -> dict[str, Any]:
        """What to log with the run."""

    def save(self, folder: Path) -> None:
        """Text files in `folder`, read back by `learners.load`."""


class Learner(Protocol):
    """Settings that turn a panel into a model; the same panel and settings give the same model."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def with_settings(self, **settings: Any) -> Learner: ...

    def chosen(self, train: Panel, choose: Panel) -> Chosen:
        """Fit on `train`, judge on `choose`; what is chosen there (the number of trees) is fixed in the answer."""

    def fit(self, train: Panel, choose: Panel | None = None) -> Fitted:
        """Fit on all rows, after choosing on `choose` where it is given."""


class Chosen(NamedTuple):
    learner: Learner
    log_loss: float  # on the choosing rows, fitted without them


def sigmoid(log_odds: Floats) -> Floats:
    """1 / (1 + e^-z), without overflow."""
    return np.exp(-np.logaddexp(0.0, -log_odds))


def checked(x: Floats, features: tuple[str, ...]) -> Floats:
    """`x`. Raises ValueError when it has not one column per feature."""
    if x.ndim != 2 or x.shape[1] != len(features):
        raise ValueError(f"expected {len(features)} columns ({', '.join(features[:3])}, …), found shape {x.shape}")
    return x


def as_shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Positive weights as shares of their sum, largest first, ties by name."""
    total = sum(weights.values())
    order = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return {name: weight / total for name, weight in order if weight > 0}
