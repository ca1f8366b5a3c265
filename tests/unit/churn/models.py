"""A small registered model of a panel."""

from __future__ import annotations

from typing import Any

import numpy as np

from visitgrain.churn.calibration import Calibration
from visitgrain.churn.drift import references
from visitgrain.churn.model import ChurnModel
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import Learner, Panel
from visitgrain.churn.reasons import usual_of_stayers
from visitgrain.churn.tiers import CutPoints


def model_of(learner: Learner, panel: Panel, features: FeatureSet | None = None, **about: Any) -> ChurnModel:
    """Fitted and judged on the panel, calibrated by a slope; risk is high from .6, mid from .3."""
    fitted, calibration = learner.fit(panel), Calibration("platt", slope=1.1, intercept=0.1)
    columns = {name: panel.x[:, place] for place, name in enumerate(panel.features)}
    scores = calibration.apply(fitted.score(panel.x))
    return ChurnModel(
        fitted,
        calibration,
        CutPoints(mid=0.3, high=0.6),
        features or FeatureSet({name: f"defined {name}" for name in panel.features}),
        usual_of_stayers(panel),
        references({**columns, "score": np.asarray(scores)}),
        about,
    )
