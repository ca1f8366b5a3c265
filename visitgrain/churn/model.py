"""A churn model as it is registered: learner, calibration, tiers, and what it was fitted on; text files only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visitgrain.churn import learners
from visitgrain.churn.calibration import Calibration
from visitgrain.churn.drift import Reference
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import Fitted
from visitgrain.churn.quality import Floats
from visitgrain.churn.tiers import CutPoints

FILE = "churn_model.json"


@dataclass(frozen=True, eq=False)
class ChurnModel:
    """`usual`: median of each feature over those who stayed.

    `references`: histograms of the inputs that it learnt from, and of its `score` on the test months.
    `about`: what it was trained on, `counts` of rows by month among it, and `test`, its scalars on the test months.
    """

    fitted: Fitted
    calibration: Calibration
    cut_points: CutPoints
    features: FeatureSet
    usual: Floats
    references: Mapping[str, Reference]
    about: Mapping[str, Any]

    def score(self, x: Floats) -> Floats:
        """Calibrated probability of silence, one per row of features in the model's order."""
        return self.calibration.apply(self.fitted.score(x))

    def save(self, folder: Path) -> None:
        self.fitted.save(folder)
        content = {
            "calibration": self.calibration.to_dict(),
            "cut_points": {"mid": self.cut_points.mid, "high": self.cut_points.high},
            "features": dict(self.features.definitions),
            "usual": [None if np.isnan(value) else float(value) for value in self.usual],
            "references": {name: reference.to_dict() for name, reference in self.references.items()},
            "about": dict(self.about),
        }
        (folder / FILE).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def load(folder: Path) -> ChurnModel:
    """What `save` wrote. Raises InputMissing, or GateRefused where it is of another kind."""
    fitted = learners.load(folder)
    content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return ChurnModel(
        fitted,
        Calibration.from_dict(content["calibration"]),
        CutPoints(**content["cut_points"]),
        FeatureSet(content["features"]),
        np.array([np.nan if value is None else value for value in content["usual"]], dtype=np.float64),
        {name: Reference.from_dict(saved) for name, saved in content["references"].items()},
        content["about"],
    )
