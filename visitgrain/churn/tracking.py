"""What MLflow is told: one run per training with a run per learner inside, and the registry with its aliases."""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from visitgrain.catalogue.churn import Tracking
from visitgrain.churn.model import ChurnModel, load
from visitgrain.errors import ConfigError, GateRefused, VisitgrainError

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "churn"  # a registered model and the experiment that its runs are in share a name
RETURN = "return"
HAZARD = "silence_hazard"
CHAMPION, CHALLENGER = "champion", "challenger"
SQLITE = "sqlite:///"
SERVED = ("http://", "https://")
HASH = "model_sha256"
# Nothing leaves the machine, nothing is unpickled, nothing is installed; whatever the environment says.
SAFE = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
}
USUAL = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
EXPERIMENT_NOTE = """\
Who was active on the label channel in a month and has no active day there in the next one.

One parent run per training month; inside it one run per learner, all tested on the same later months. The note of the
parent run has the table and a link that compares them; `comparison.html` among its artifacts is a page of its own.
`model_card.md`, `figures/` and `tables/` of a learner's run say the rest. The registered model has the aliases
`champion` (scores every month) and `challenger` (the last one that was trained)."""

HAZARD_NOTE = """\
When silence begins: weekly hazards, from the weeks that each subscriber was followed for after a cut-off.

One parent run per training month; inside it one run per learner, all tested on the same later cut-offs. Compare
`c_index`, `auc_4w`, `integrated_brier` and `ece_4w`. The registered model has the aliases `champion` (its hazards are
published every month) and `challenger` (the last one that was trained)."""
RETURN_NOTE = """\
Who has been silent on the label channel for a month or more, up to 180 days, and comes back in the next month by
themselves: whom to win back is who would not. Runs, pages and aliases are as those of the experiment `churn`."""
NOTES = {MODEL: EXPERIMENT_NOTE, RETURN: RETURN_NOTE, HAZARD: HAZARD_NOTE}
MODEL_NOTES = {
    MODEL: "Probability that who was active on the label channel in a month has no active day there in the next one.",
    RETURN: "Probability that who is silent on the label channel comes back in the next month unaided.",
    HAZARD: "Hazards of silence in each of the weeks to come, of who is not silent yet.",
}
ALIASES_NOTE = "The version `champion` scores every month, `challenger` was trained last; each one says how it does."


@contextmanager
def tracked(tracking: Tracking, name: str = MODEL) -> Iterator[MlflowClient]:
    """A client of the tracking server or file; fluent calls inside go to the experiment `name` too.

    Raises ConfigError for a URI of another kind or with a login in it, GateRefused where it does not answer.
    """
    uri = tracking.uri
    if not uri.startswith((SQLITE, *SERVED)):
        raise ConfigError(
            f"mlflow_uri: {_named(uri)}; allowed: {SQLITE}FILE, or http(s)://HOST:PORT of a tracking server. Other "
            "databases stay behind the server: visitgrain mlflow --store URI"
        )
    if "@" in uri and uri.startswith(SERVED):
        raise ConfigError(
            f"mlflow_uri: {_named(uri)} carries a login, which settings and errors would show; allowed: "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the file ~/.mlflow/credentials"
        )
    os.environ.update(SAFE)
    for variable, value in USUAL.items():
        os.environ.setdefault(variable, value)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)  # the variable comes too late where it is imported already
    try:
        _check_file(uri)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        client = mlflow.MlflowClient(uri)
        if client.get_experiment_by_name(name) is None:
            client.create_experiment(name, _artifacts(uri), tags={"mlflow.note.content": NOTES[name]})
        mlflow.set_experiment(name)
    except (mlflow.MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise GateRefused(f"MLflow at {_named(uri)} does not answer: {error}. Nothing was changed") from error
    yield client


def _check_file(uri: str) -> None:
    """Raises sqlite3.Error for what is no database: MLflow itself would try again for minutes."""
    path = Path(uri.removeprefix(SQLITE))
    if uri.startswith(SQLITE) and path.exists():
        with closing(sqlite3.connect(path)) as database:
            database.execute("select count(*) from sqlite_master").fetchone()


def _artifacts(uri: str) -> str | None:
    """Beside an embedded database; a server says itself where."""
    return artifact_folder(uri).as_uri() if uri.startswith(SQLITE) else None


def artifact_folder(uri: str) -> Path:
    """Where models and figures of an embedded database are."""
    return Path(uri.removeprefix(SQLITE)).absolute().parent / "mlartifacts"


def _named(uri: str) -> str:
    """Without the password that a URI may carry."""
    scheme, at, rest = uri.rpartition("@")
    return f"{scheme.split('//')[0]}//…@{rest}" if at else uri


def aliased(
    client: MlflowClient,
    alias: str,
    name: str = MODEL,
    read: Callable[[Path], Any] = load,
) -> tuple[Any, str] | None:
    """The model that has the alias, as `read` from its files, and its version; None where nothing has the alias.

    Raises GateRefused as `files_of`.
    """
    version = version_with(client, alias, name)
    if version is None:
        return None
    with files_of(client, version, name) as folder:
        return read(folder), version


def version_with(client: MlflowClient, alias: str, name: str = MODEL) -> str | None:
    """The version that has the alias. Raises GateRefused when the registry does not answer."""
    import mlflow

    try:
        return str(client.get_model_version_by_alias(name, alias).version)
    except mlflow.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise GateRefused(f"the registry does not answer: {error}. Nothing was changed") from error


def loaded(client: MlflowClient, version: str, name: str = MODEL) -> ChurnModel:
    """The model of a version. Raises GateRefused as `files_of`."""
    with files_of(client, version, name) as folder:
        return load(folder)


@contextmanager
def files_of(client: MlflowClient, version: str, name: str) -> Iterator[Path]:
    """Folder of the text files of a version. Raises GateRefused where they are missing, unreadable by what is done with
    them inside, or not those that were registered."""
    import mlflow

    told = f"model {name} version {version}"
    try:
        found = client.get_model_version(name, version)
        with _downloaded(f"models:/{name}/{version}") as folder:
            if found.tags.get(HASH) != digest(folder):
                raise GateRefused(
                    f"{told}: its files are not those that were registered (tag {HASH}). Nothing was changed. Move the "
                    "alias to another version: visitgrain models rollback"
                )
            yield folder
    except GateRefused:
        raise
    except (mlflow.MlflowException, VisitgrainError, OSError, ValueError, KeyError) as error:
        raise GateRefused(f"{told} cannot be read: {error}. Nothing was changed") from error


@contextmanager
def _downloaded(uri: str) -> Iterator[Path]:
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        yield Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder)) / "artifacts" / "model"


def digest(folder: Path) -> str:
    """sha256 over names and contents of a model's files."""
    found = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def registered(client: MlflowClient, model_uri: str, note: str, tags: Mapping[str, Any], name: str = MODEL) -> str:
    """A new version of the model; its number. It becomes the challenger."""
    import mlflow

    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=f"{MODEL_NOTES[name]} {ALIASES_NOTE}")
    with _downloaded(model_uri) as folder:
        told = {**tags, HASH: digest(folder)}
    with redirect_stderr(StringIO()):  # it says what it does, in words for people at a prompt
        version = mlflow.register_model(model_uri, name, tags={key: str(value) for key, value in told.items()})
    client.update_model_version(name, version.version, description=note)
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return str(version.version)
