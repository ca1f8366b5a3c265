"""Boosted trees: as many as the choosing months want, then once more on all rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from visitgrain.churn.boosters import Booster, LightGBM, XGBoost
from visitgrain.churn.linear import MODEL
from visitgrain.churn.panel import Chosen, Panel, as_shares, checked, sigmoid
from visitgrain.churn.quality import Floats

LIBRARIES: dict[str, type[LightGBM] | type[XGBoost]] = {"lightgbm": LightGBM, "xgboost": XGBoost}


@dataclass(frozen=True)
class BoostedTrees:
    """`settings` are the library's own parameters. Without choosing rows, `trees` are fitted."""

    name: str
    library: str  # one of LIBRARIES
    settings: Mapping[str, Any]
    trees: int = 150
    at_most: int = 2000
    patience: int = 50  # trees without a gain on the choosing rows before it stops

    def with_settings(self, **settings: Any) -> BoostedTrees:
        return replace(self, settings={**self.settings, **settings})

    def chosen(self, train: Panel, choose: Panel) -> Chosen:
        found = LIBRARIES[self.library].stopped(self.settings, train, choose, self.at_most, self.patience)
        return Chosen(replace(self, trees=found.trees), found.log_loss)

    def fit(self, train: Panel, choose: Panel | None = None) -> FittedTrees:
        if choose is not None:
            return self.chosen(train, choose).learner.fit(train.joined(choose))  # type: ignore[return-value]
        booster = LIBRARIES[self.library].train(self.settings, train, self.trees)
        return FittedTrees(self.name, self.library, train.features, booster, {"trees": self.trees, **self.settings})


@dataclass(frozen=True)
class FittedTrees:
    """A booster of either library, wherever it was trained."""

    name: str
    library: str
    features: tuple[str, ...]
    booster: Booster
    settings: Mapping[str, Any]

    def score(self, x: Floats) -> Floats:
        return sigmoid(self.booster.log_odds(checked(x, self.features)))

    def contributions(self, x: Floats) -> tuple[Floats, float]:
        """Shapley values of the trees (Lundberg et al. 2018, arXiv 1802.03888); the baseline is the training mean.

        Some 3,000 rows a second, scoring some 150,000: ask only for those whose reasons are read.
        """
        if not len(x):
            return checked(x, self.features) * 0.0, 0.0
        together = self.booster.contributions(checked(x, self.features))
        return together[:, :-1], float(together[0, -1])

    def importance(self) -> dict[str, float]:
        """By the total gain of the splits on a feature."""
        return as_shares(self.booster.gains())

    def parameters(self) -> dict[str, Any]:
        return {"learner": self.name, "library": self.library, **self.settings}

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        content = {"kind": self.library, "name": self.name, "features": self.features, "settings": self.settings}
        (folder / MODEL).write_text(json.dumps(content, indent=1), encoding="utf-8")
        self.booster.write(folder / self.booster.file)


def fitted_trees(content: Mapping[str, Any], folder: Path) -> FittedTrees:
    """The model that `save` wrote into `folder`."""
    library = LIBRARIES[content["kind"]]
    booster = library.read(folder / library.file)
    return FittedTrees(content["name"], content["kind"], tuple(content["features"]), booster, content["settings"])
