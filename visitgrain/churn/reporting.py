"""A trained model as an MLflow run: parameters, numbers, tables, figures and a card in words."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from visitgrain.catalogue.churn import Tracking
from visitgrain.churn import figures
from visitgrain.churn.boosters import has_xgboost
from visitgrain.churn.cards import model_card
from visitgrain.churn.panel import Panel
from visitgrain.churn.training import Trained
from visitgrain.churn.training_data import TrainingData

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models.model import ModelInfo

EXAMPLE_QUANTILES = [0.1, 0.25, 0.5, 0.75, 0.9]
SERVED = Path(__file__).with_name("served.py")  # importing it would bring MLflow into every command
EXPLAINED_ROWS = 1_000
CARD = "model_card.md"
REQUIREMENTS = (
    *("mlflow", "lightgbm", "xgboost-cpu", "scikit-learn", "scipy", "numpy", "pandas", "polars"),
    *("pyspark", "pyarrow", "pydantic", "pyyaml"),
)


def log_trained(found: Trained, data: TrainingData, tags: Mapping[str, str]) -> str:
    """Into the active run; URI of the logged model, which has the same parameters and numbers."""
    import mlflow

    mlflow.set_tags({**tags, "learner": found.name})
    mlflow.log_params(_parameters(found, data))
    model = _log_model(found, data)
    numbers = {name: value for name, value in found.evaluation.scalars.items() if np.isfinite(value)}
    numbers |= {"choosing_log_loss": found.choosing_log_loss, "training_seconds": found.fits.seconds}
    mlflow.log_metrics(numbers, model_id=model.model_id)
    _log_steps(found)
    importance = found.model.fitted.importance()
    tables = {
        **found.evaluation.tables,
        "importance": [{"feature": name, "share": share} for name, share in importance.items()],
        "features": data.features.described(),
        "learning_curve": found.fits.curve,
    }
    for name, rows in tables.items():
        if rows:
            mlflow.log_table(pd.DataFrame(rows), f"tables/{name}.json")
    for name, figure in _figures(found, data, importance).items():
        figure.suptitle(f"{found.name} {tags['month']}", fontsize="small")
        mlflow.log_figure(figure, f"figures/{name}.png")
    mlflow.log_text(model_card(found, data), CARD)
    for trial in found.fits.trials:
        with mlflow.start_run(run_name=f"{found.name} trial {trial.number}", nested=True, tags={"kind": "trial"}):
            mlflow.log_params(trial.parameters)
            mlflow.log_metrics({"choosing_log_loss": trial.value, "training_seconds": trial.seconds})
    return str(model.model_uri)


def _log_steps(found: Trained) -> None:
    """As lines that the compare page lays over each other: AUC by test month and by training rows.

    The step of 2026-03 is 2603: an axis writes 202603 as 202.603k.
    """
    import mlflow

    for row in found.evaluation.tables["months"]:
        if np.isfinite(row["auc"]):
            mlflow.log_metric("auc_by_month", row["auc"], step=int(row["month"][2:7].replace("-", "")))
    for row in found.fits.curve:
        if np.isfinite(row["auc"]):
            mlflow.log_metric("auc_by_training_rows", row["auc"], step=row["rows"])


def log_tables_read(tracking: Tracking) -> None:
    """The lake's tables, in the versions that were read, as datasets of the active run; without those never written."""
    import mlflow
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    there = {name: number for name, number in tracking.versions.items() if number >= 0}
    for name, number in there.items():
        source = DeltaDatasetSource(path=f"{tracking.lake}/{name}", delta_table_version=number)
        read = MetaDataset(source, name=name, digest=f"version {number}")  # type: ignore[abstract]
        mlflow.log_input(read, context="training")


def _parameters(found: Trained, data: TrainingData) -> dict[str, Any]:
    split = data.split
    return {
        **found.model.fitted.parameters(),
        "calibration": found.model.calibration.how,
        "tier_mid": found.model.cut_points.mid,
        "tier_high": found.model.cut_points.high,
        "train_months": f"{split.train[0]:%Y-%m} to {split.train[-1]:%Y-%m}",
        "choose_months": f"{split.choose[0]:%Y-%m} to {split.choose[-1]:%Y-%m}",
        "test_months": f"{split.test[0]:%Y-%m} to {split.test[-1]:%Y-%m}",
        "train_rows": len(data.fitting),
        "choose_rows": len(data.choosing),
        "final_rows": len(data.learning),
        "test_rows": len(data.testing),
        "sampled_share": data.share,
        "features": len(data.features.names),
        "feature_hash": data.features.hash,
    }


def _figures(found: Trained, data: TrainingData, importance: Mapping[str, float]) -> dict[str, Any]:
    tables = found.evaluation.tables
    shown = data.testing.where(np.linspace(0, len(data.testing) - 1, EXPLAINED_ROWS).astype(int))  # of all test months
    drawn = {
        "reliability": figures.reliability_plot(tables["reliability"]),
        "gains": figures.gains_curve(tables["gains"]),
        "lift": figures.lift_by_decile(tables["deciles"]),
        "profit": figures.profit_plot(tables["profit"]),
        "importance": figures.importance_plot(importance),
        "shap_summary": figures.shap_summary(found.contributions(shown), shown.x, shown.features),
    }
    return drawn | ({"learning_curve": figures.learning_curve(found.fits.curve)} if found.fits.curve else {})


def _log_model(found: Trained, data: TrainingData) -> ModelInfo:
    """The example is made of quantiles of each feature: no row of anybody."""
    import mlflow
    from mlflow.models import infer_signature

    example = example_of(data.fitting)
    answer = pd.DataFrame({"probability": found.model.score(example.to_numpy()), "tier": "low"})
    with tempfile.TemporaryDirectory() as folder:
        found.model.save(Path(folder) / "model")
        info: ModelInfo = mlflow.pyfunc.log_model(
            name=found.name,
            python_model=str(SERVED),
            artifacts={"model": str(Path(folder) / "model")},
            signature=infer_signature(example, answer),
            input_example=example,
            pip_requirements=requirements(),
        )
    return info


def example_of(rows: Panel) -> pd.DataFrame:
    """Quantiles of each feature: nobody's row."""
    return pd.DataFrame(rows.x, columns=list(rows.features)).quantile(EXAMPLE_QUANTILES).reset_index(drop=True)


def requirements() -> list[str]:
    """What served.py imports, as installed here; visitgrain itself comes from its own artefact, not from an index."""
    installed = [name for name in REQUIREMENTS if name != "xgboost-cpu" or has_xgboost()]
    return [f"{name}=={version(name)}" for name in installed]


def card_of(client: MlflowClient, run_id: str) -> str | None:
    """The card that was logged with a run; None where the run or the card is no longer there."""
    import mlflow

    try:
        with tempfile.TemporaryDirectory() as folder:
            return Path(client.download_artifacts(run_id, CARD, folder)).read_text(encoding="utf-8")
    except (mlflow.MlflowException, OSError):
        return None
