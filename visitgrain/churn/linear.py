"""Logistic regression on log-scaled, standardised features; missing is a level of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from visitgrain.arrow.hashing import mix
from visitgrain.churn.panel import AT_ONCE, Chosen, Panel, as_shares, checked, sigmoid
from visitgrain.churn.quality import Floats, log_loss

MODEL = "model.json"


@dataclass(frozen=True)
class Logistic:
    """Minimises C x sum of log-losses + |w|^2 / 2 over the standardised columns; the intercept is free.

    `columns` are those to use (None: all) less `without`, where it is there at all: a month of the year that never
    differs is no feature. Of more than `most_rows` it learns from those of some subscribers, by hash: hundreds of
    weights need no more. Raises ValueError for one of `columns` that the panel lacks.
    """

    name: str
    columns: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=lambda: {"C": 1.0})
    most_rows: int = 200_000

    def with_settings(self, **settings: Any) -> Logistic:
        return replace(self, settings={**self.settings, **settings})

    def chosen(self, train: Panel, choose: Panel) -> Chosen:
        """Nothing is chosen: the same learner and how it does."""
        return Chosen(self, log_loss(choose.y, self.fit(train).score(choose.x)))

    def fit(self, train: Panel, choose: Panel | None = None) -> FittedLogistic:
        rows = _at_most(train.joined(choose), self.most_rows)
        unknown = sorted(set(self.columns or ()) - set(rows.features))
        if unknown:
            raise ValueError(f"{self.name}: the panel has no column {', '.join(unknown)}")
        used = [name for name in self.columns or rows.features if name not in self.without]
        places = [rows.features.index(name) for name in used]
        values, missing = logged(rows.x[:, places]), np.isnan(rows.x[:, places])
        centre, scale = _moments(values, missing)
        absent, spread = missing.mean(axis=0), missing.std(axis=0)
        level = np.flatnonzero(spread)  # only what was missing at times has something to say about it
        z = np.where(missing, 0.0, (values - centre) / scale)
        model = LogisticRegression(C=self.settings["C"], solver="newton-cholesky", tol=1e-10)
        model.fit(np.hstack([z, (missing[:, level] - absent[level]) / spread[level]]), rows.y)
        weights = model.coef_[0]
        slope, jump = weights[: len(used)] / scale, np.zeros(len(used))
        jump[level] = weights[len(used) :] / spread[level]
        when_present, when_missing = -jump * absent, jump * (1 - absent)
        spreads = np.where(missing, when_missing, slope * (values - centre) + when_present).std(axis=0)
        table = {"centre": centre, "slope": slope, "present": when_present, "missing": when_missing, "spread": spreads}
        return FittedLogistic(
            self.name,
            rows.features,
            {name: {key: float(column[i]) for key, column in table.items()} for i, name in enumerate(used)},
            float(model.intercept_[0]),
            {**self.settings, "rows_learnt": len(rows)},
        )


@dataclass(frozen=True)
class FittedLogistic:
    """Contribution of a feature: slope (s - centre) + present with s = sign(x) log(1 + |x|), or missing."""

    name: str
    features: tuple[str, ...]
    terms: Mapping[str, Mapping[str, float]]  # by feature in use: centre, slope, present, missing, spread
    intercept: float
    settings: Mapping[str, Any]

    def score(self, x: Floats) -> Floats:
        parts = (self.contributions(x[start : start + AT_ONCE])[0] for start in range(0, len(x), AT_ONCE))
        return sigmoid(np.concatenate([np.zeros(0), *(part.sum(axis=1) for part in parts)]) + self.intercept)

    def contributions(self, x: Floats) -> tuple[Floats, float]:
        answer = np.zeros(checked(x, self.features).shape)
        for name, term in self.terms.items():
            place = self.features.index(name)
            value = term["slope"] * (logged(x[:, place]) - term["centre"]) + term["present"]
            answer[:, place] = np.where(np.isnan(value), term["missing"], value)
        return answer, self.intercept

    def importance(self) -> dict[str, float]:
        """By the standard deviation of the contribution over the training rows."""
        return as_shares({name: term["spread"] for name, term in self.terms.items()})

    def parameters(self) -> dict[str, Any]:
        return {"learner": self.name, "features_used": len(self.terms), **self.settings}

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "kind": "logistic",
            "name": self.name,
            "features": self.features,
            "terms": self.terms,
            "intercept": self.intercept,
            "settings": self.settings,
        }
        (folder / MODEL).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def fitted_logistic(content: Mapping[str, Any]) -> FittedLogistic:
    """The model that `save` wrote."""
    return FittedLogistic(
        content["name"], tuple(content["features"]), content["terms"], content["intercept"], content["settings"]
    )


def _at_most(rows: Panel, most: int) -> Panel:
    """Whole subscribers by hash, the same ones on every run."""
    if len(rows) <= most:
        return rows
    place = mix(rows.subscriber.astype(np.uint64))
    return rows.where(place < np.uint64(most / len(rows) * 2.0**64))


def logged(x: Floats) -> Floats:
    """sign(x) log(1 + |x|): counts, days and amounts lose their long tails, shares hardly change, order stays."""
    return np.copysign(np.log1p(np.abs(x)), x)


def _moments(values: Floats, missing: Any) -> tuple[Floats, Floats]:
    """Mean and standard deviation of what is there; (0, 1) where nothing is, 1 for a constant."""
    there = np.maximum((~missing).sum(axis=0), 1)
    centre = np.where(missing, 0.0, values).sum(axis=0) / there
    deviation = np.where(missing, 0.0, values - centre)
    scale = np.sqrt((deviation**2).sum(axis=0) / there)
    return centre, np.where(scale > 1e-12, scale, 1.0)
