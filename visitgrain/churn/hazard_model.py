"""A model of weekly hazards as it is registered: a learner's model of person-weeks, as text files only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visitgrain.churn import learners
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import Fitted
from visitgrain.churn.quality import Floats
from visitgrain.errors import InputMissing

FILE = "hazard_model.json"


@dataclass(frozen=True, eq=False)
class HazardModel:
    """`fitted` reads `features`, then the number of the week. `about`: what it was trained on; for people."""

    fitted: Fitted
    features: FeatureSet
    horizon_weeks: int
    silence_days: int
    about: Mapping[str, Any]

    def hazard(self, x: Floats) -> Floats:
        """(rows, weeks): P(silence begins in the week, if not before); one row of features each, in the model's order.

        What follows from them: survival.survival, silent_within, expected_days, median_weeks.
        """
        found = np.empty((len(x), self.horizon_weeks))
        wider = np.hstack([x, np.empty((len(x), 1))])
        for week in range(1, self.horizon_weeks + 1):  # week by week: no copy of x per week at a time
            wider[:, -1] = week
            found[:, week - 1] = self.fitted.score(wider)
        return found

    def save(self, folder: Path) -> None:
        self.fitted.save(folder)
        content = {
            "features": dict(self.features.definitions),
            "horizon_weeks": self.horizon_weeks,
            "silence_days": self.silence_days,
            "about": dict(self.about),
        }
        (folder / FILE).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def load(folder: Path) -> HazardModel:
    """What `save` wrote. Raises InputMissing where it is something else, GateRefused for a learner not known here."""
    if not (folder / FILE).is_file():
        raise InputMissing(f"{folder}: no {FILE}; expected the folder of a saved model of hazards")
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    features = FeatureSet(content.pop("features"))
    return HazardModel(learners.load(folder), features, **content)
