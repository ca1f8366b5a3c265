"""What MLflow's pages are told beside numbers: links, a saved view of the learners, where runs come from, colours."""

from __future__ import annotations

import json
import time
import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Without it a browser that is new to MLflow opens the pages for language models.
TRAINING = "workflowType=machine_learning"
VIEW = "learners"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"

# MLflow's own colours are drawn from run ids, and two learners may share one.
COLOURS = {
    "recency": "#7f7f7f",
    "rfv_logistic": "#ff7f0e",
    "logistic": "#2ca02c",
    "lightgbm": "#1f77b4",
    "xgboost_spark": "#d62728",
    "gbt_spark": "#9467bd",
}


def source(job: str) -> dict[str, str]:
    """Tag of a run: the command that made it, in place of the file that Python was started with."""
    return {"mlflow.source.name": f"visitgrain run {job}"}


def colour(learner: str) -> dict[str, str]:
    """Tag of a learner's run, in tables and charts."""
    return {"mlflow.runColor": COLOURS[learner]}


def compare_link(experiment_id: str, run_ids: Sequence[str]) -> str:
    """The runs side by side."""
    return f"#/compare-runs?runs={_listed(run_ids)}&experiments={_listed([experiment_id])}&{TRAINING}"


def view_link(experiment_id: str) -> str:
    """The runs of the experiment in the view that `save_view` left there."""
    return f"#/experiments/{experiment_id}/runs?{TRAINING}&viewStateShareKey={VIEW}"


def save_view(client: MlflowClient, experiment_id: str, *, by: str, columns: Sequence[str]) -> None:
    """All learners, the highest metric `by` first, with the metrics `columns`.

    A view that is there already stays: people may have changed it.
    """
    if VIEW_TAG in client.get_experiment(experiment_id).tags:
        return
    now = int(time.time() * 1000)
    view = {"name": f"Learners by {by}", "createdAt": now, "updatedAt": now, "state": _state(by, columns)}
    client.set_experiment_tag(experiment_id, VIEW_TAG, json.dumps(view))


def _state(by: str, columns: Sequence[str]) -> str:
    """As the pages of MLflow 3.17 write it themselves; nothing documents it."""
    shown = ["attributes.`Models`", *(f"metrics.`{name}`" for name in columns)]
    state = {
        "searchFilter": 'tags.kind = "learner"',
        "orderByKey": f"metrics.`{by}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": shown,
        "columnOrder": shown,
    }
    return f"deflate;{b64encode(zlib.compress(json.dumps(state).encode())).decode()}"


def _listed(names: Sequence[str]) -> str:
    """A JSON list of texts as part of a URL."""
    return "[" + ",".join(f"%22{name}%22" for name in names) + "]"
