"""Any table with one row per customer and a label: the same learners, by cross-validation. For comparison with others.

Without months there is no order in time, so folds are random; settings are chosen inside the training folds only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split

from visitgrain.churn import learners
from visitgrain.churn.panel import Learner, Panel, panel_of
from visitgrain.churn.quality import Floats, scorecard
from visitgrain.errors import InputMissing, UsageError

POSITIVE = ("1", "1.0", "true", "yes", "y")
MOST_LEVELS = 200  # of a text column; one with more is an identifier
CHOOSING_SHARE = 0.2
BEST = "best"
MEASURES = ("auc", "pr_auc", "lift_at_10", "log_loss", "brier", "ece")


class Folded(NamedTuple):
    """Scalars of the test rows of one fold."""

    fold: int
    learner: str
    scalars: dict[str, float]


def panel_from(path: Path, label: str, leave_out: Sequence[str] = ()) -> Panel:
    """Parquet or CSV; texts as one column per level, truths as 0 and 1, everything else as numbers, missing stays so.

    Raises InputMissing without the file, UsageError without the label or where it has not two values.
    """
    if not path.exists():
        raise InputMissing(f"{path}: no such file; give a Parquet or CSV file")
    table = pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    if label not in table.columns:
        raise UsageError(f"{path}: no column {label!r}; there are: {', '.join(table.columns)}")
    y = table[label].cast(pl.String).str.to_lowercase().is_in(POSITIVE)
    if y.n_unique() != 2:
        raise UsageError(f"{path}: {label} has not two values; it is 1 for {', '.join(POSITIVE)}, else 0")
    rest = table.drop(label, *leave_out)
    texts = [name for name, kind in rest.schema.items() if kind in (pl.String, pl.Categorical)]
    identifiers = [name for name in texts if rest[name].n_unique() > MOST_LEVELS]
    wide = rest.drop(identifiers).to_dummies([name for name in texts if name not in identifiers])
    numbers = wide.select(pl.all().cast(pl.Float64))
    names = tuple("".join(c if c.isalnum() else "_" for c in name) for name in numbers.columns)
    rows = np.arange(len(numbers))
    return panel_of(names, numbers.fill_null(float("nan")).to_numpy(), y.cast(pl.Int8), ["2000-01"] * len(rows), rows)


def candidates(seed: int) -> tuple[Learner, ...]:
    """Both learners of the panel, and trees with fewer leaves: tables have fewer rows than panels."""
    return (
        learners.logistic(),
        learners.lightgbm(seed=seed),
        learners.lightgbm(num_leaves=7, learning_rate=0.04, seed=seed),
    )


def cross_validated(panel: Panel, *, folds: int, repeats: int, seed: int) -> Iterator[Folded]:
    """Each learner, and `best`: the one with the least log-loss on rows that its first fit did not see."""
    splitter = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    for fold, (fitting, testing) in enumerate(splitter.split(panel.x, panel.y)):
        train, test = panel.where(fitting), panel.where(testing)
        early, late = _parts(train, seed)
        chosen = [learner.chosen(train.where(early), train.where(late)) for learner in candidates(seed)]
        losses = [found.log_loss for found in chosen]
        scores: list[Floats] = [found.learner.fit(train).score(test.x) for found in chosen]
        for place, found in enumerate(chosen):
            yield Folded(fold, _named(found.learner, place), scorecard(test.y, scores[place]))
        yield Folded(fold, BEST, scorecard(test.y, scores[int(np.argmin(losses))]))


def summary(folds: Iterable[Folded]) -> dict[str, list[str]]:
    """By learner: mean and standard deviation (ddof 1) of each of MEASURES over the folds, in words."""
    values: dict[str, list[list[float]]] = {}
    for fold in folds:
        values.setdefault(fold.learner, []).append([fold.scalars[name] for name in MEASURES])
    return {
        learner: [f"{np.mean(column):.4f} +- {np.std(column, ddof=1):.4f}" for column in zip(*rows, strict=True)]
        for learner, rows in values.items()
    }


def _named(learner: Learner, place: int) -> str:
    return learner.name if place < 2 else f"{learner.name}_{learner.settings['num_leaves']}_leaves"


def _parts(train: Panel, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rows = np.arange(len(train))
    early, late = train_test_split(rows, test_size=CHOOSING_SHARE, random_state=seed, stratify=train.y)
    return np.sort(early), np.sort(late)
