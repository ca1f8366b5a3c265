"""The registered model of hazards, for MLflow: it loads this file and the model's text files; nothing is unpickled.

In: the model's features as columns of numbers, null = missing. Out: `hazard_1w`, `p_silent_4w`, `expected_days`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from visitgrain.churn.hazard_model import load
from visitgrain.churn.survival import expected_days, silent_within


class ServedHazards(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]
    """MLflow's face of a HazardModel."""

    def load_context(self, context: Any) -> None:
        self.model = load(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        x = model_input[list(self.model.features.names)].to_numpy(dtype=np.float64, na_value=np.nan)
        hazard = self.model.hazard(np.ascontiguousarray(x))
        answers = {"p_silent_4w": silent_within(hazard, 4), "expected_days": expected_days(hazard)}
        return pd.DataFrame({"hazard_1w": hazard[:, 0], **answers})


mlflow.models.set_model(ServedHazards())
