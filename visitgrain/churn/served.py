"""The registered model, for MLflow: it loads this file and the model's text files; nothing is unpickled.

In: the model's features as columns of numbers, null = missing. Out: calibrated `probability` of silence and its `tier`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from visitgrain.churn.model import load
from visitgrain.churn.tiers import tier


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]
    """MLflow's face of a ChurnModel."""

    def load_context(self, context: Any) -> None:
        self.model = load(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        names = list(self.model.features.names)
        x = np.ascontiguousarray(model_input[names].to_numpy(dtype=np.float64, na_value=np.nan))
        probability = self.model.score(x)
        return pd.DataFrame({"probability": probability, "tier": tier(probability, self.model.cut_points)})


mlflow.models.set_model(ServedModel())
