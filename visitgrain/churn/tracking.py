"""What MLflow is told: one run per training with a run per learner inside, and the registry with its aliases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visitgrain.catalogue.churn import Tracking
from visitgrain.churn.model import ChurnModel, load
from visitgrain.errors import GateRefused

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = MODEL = "churn"
CHAMPION, CHALLENGER = "champion", "challenger"
SQLITE = "sqlite:///"
# Nothing leaves the machine, nothing is unpickled, nothing is installed.
SAFE = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}
EXPERIMENT_NOTE = """\
Who was active on the label channel in a month and has no active day there in the next one.

One parent run per training month; inside it one run per learner, all tested on the same later months. Compare them in
the runs table (columns `auc`, `pr_auc`, `lift_at_10`, `ece`, `log_loss`, `empc_fen`), or open `comparison.html` among
the artifacts of the parent run. `model_card.md` and `figures/` of a run say the rest. The registered model has the
aliases `champion` (scores every month) and `challenger` (the last one that was trained)."""


@contextmanager
def tracked(tracking: Tracking) -> Iterator[MlflowClient]:
    """A client of the tracking server or file; fluent calls inside go to the experiment too."""
    for name, value in SAFE.items():
        os.environ.setdefault(name, value)
    import mlflow

    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_registry_uri(tracking.uri)
    try:
        client = mlflow.MlflowClient(tracking.uri)
        if client.get_experiment_by_name(EXPERIMENT) is None:
            client.create_experiment(
                EXPERIMENT, _artifacts(tracking.uri), tags={"mlflow.note.content": EXPERIMENT_NOTE}
            )
        mlflow.set_experiment(EXPERIMENT)
    except mlflow.MlflowException as error:
        raise GateRefused(f"MLflow at {_named(tracking.uri)} does not answer: {error}. Nothing was changed") from error
    yield client


def _artifacts(uri: str) -> str | None:
    """Beside an embedded database; a server says itself where."""
    if not uri.startswith(SQLITE):
        return None
    return (Path(uri.removeprefix(SQLITE)).absolute().parent / "mlartifacts").as_uri()


def _named(uri: str) -> str:
    """Without the password that a URI may carry."""
    scheme, at, rest = uri.rpartition("@")
    return f"{scheme.split('//')[0]}//…@{rest}" if at else uri


def aliased(client: MlflowClient, alias: str) -> tuple[ChurnModel, str] | None:
    """The model that has the alias, and its version; None where nothing has it.

    Raises GateRefused when the registry does not answer.
    """
    import mlflow

    try:
        found = client.get_model_version_by_alias(MODEL, alias)
        folder = mlflow.artifacts.download_artifacts(f"models:/{MODEL}/{found.version}")
    except mlflow.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise GateRefused(f"the registry does not answer: {error}. Nothing was changed") from error
    except OSError as error:
        raise GateRefused(f"the artifacts of model {MODEL}@{alias} cannot be read: {error}") from error
    return load(Path(folder) / "artifacts" / "model"), str(found.version)


def registered(client: MlflowClient, model_uri: str, note: str, tags: dict[str, Any]) -> str:
    """A new version of the model; its number. It becomes the challenger."""
    import mlflow

    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL, description=EXPERIMENT_NOTE)
    version = mlflow.register_model(model_uri, MODEL, tags={name: str(value) for name, value in tags.items()})
    client.update_model_version(MODEL, version.version, description=note)
    client.set_registered_model_alias(MODEL, CHALLENGER, version.version)
    return str(version.version)
