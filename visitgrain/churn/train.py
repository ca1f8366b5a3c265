"""The training job: learners are fitted, tracked and compared; the best one is registered and may become champion."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn import ChurnSettings, Tracking
from visitgrain.churn import figures
from visitgrain.churn.leakage import shuffled_auc, single_feature_auc
from visitgrain.churn.model_rows import feature_set, labelled, rows_of
from visitgrain.churn.panel import Floats
from visitgrain.churn.promotion import Contest, Gate, Verdict, judge
from visitgrain.churn.reporting import COMPARED, comparison_page, log_trained
from visitgrain.churn.tracking import CHAMPION, MODEL, aliased, registered, tracked
from visitgrain.churn.training import LOCAL, Trained, best_of, shuffled_scores, trained
from visitgrain.churn.training_data import TrainingData, collected
from visitgrain.expressions.literal_rows import literal_rows
from visitgrain.span import Span
from visitgrain.tables.churning import CHURN_MODELS

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOG = logging.getLogger(__name__)
BASELINE = "recency"


def train_churn(
    *,
    churn_features: DataFrame,
    churn_labels: DataFrame,
    subscriber_metrics: DataFrame,
    spec: Catalogue,
    span: Span,
    tracking: Tracking,
) -> DataFrame:
    """One row per learner. `span` is the month that is over: its labels are the last ones used.

    Raises InputMissing under three months with labels, GateRefused where MLflow does not answer.
    """
    settings = spec.churn
    rows = labelled(rows_of(churn_features, subscriber_metrics, spec), churn_labels)
    rows = rows.where(F.col("month") < F.lit(span.month))
    data = collected(rows, feature_set(spec), settings)
    about = {
        "label_channel": settings.label_channel,
        "versions": tracking.versions,
        "counts": data.counts,
        "catalogue_hash": spec.hash,
        "lake": tracking.lake,
    }
    trials = settings.trials if tracking.trials is None else tracking.trials
    with tracked(tracking) as client:
        told = _run(client, rows, data, settings, trials, about, span, tracking)
    return literal_rows(churn_features, told, *((c.name, c.type) for c in CHURN_MODELS.columns))


def _run(
    client: MlflowClient,
    rows: DataFrame,
    data: TrainingData,
    settings: ChurnSettings,
    trials: int,
    about: Mapping[str, Any],
    span: Span,
    tracking: Tracking,
) -> list[tuple[Any, ...]]:
    import mlflow

    month = f"{span.month:%Y-%m}"
    tags = {"month": month, "feature_hash": data.features.hash, "visitgrain.run_id": tracking.run_id}
    note = f"Labels up to {month}; tested on cut-offs {data.split.test[0]:%Y-%m} to {data.split.test[-1]:%Y-%m}."
    with mlflow.start_run(run_name=f"churn {month}", tags={**tags, "kind": "training"}, description=note) as parent:
        mlflow.log_params(
            {"trials": trials, "learners": ", ".join(settings.learners), "feature_hash": data.features.hash}
        )
        mlflow.log_dict(dict(about), "data.json")
        found, runs, models = [], [], []
        for one in trained(rows, data, settings, trials=trials, about=about):
            label = f"{one.name} {month}"
            with mlflow.start_run(run_name=label, nested=True, tags={"kind": "learner"}, description=note) as run:
                models.append(log_trained(one, data, tags))
            runs.append(run.info.run_id)
            found.append(one)
            LOG.info("%s: AUC %.4f", label, one.evaluation.scalars["auc"])
        best = best_of(found)
        verdict, champion = _verdict(client, found, best, data, settings)
        version = registered(client, models[found.index(best)], _note(best, verdict, note), _tags(best, verdict, tags))
        if verdict.promoted:
            client.set_registered_model_alias(MODEL, CHAMPION, version)
        mlflow.set_tags({"best": best.name, "version": version, "promoted": str(verdict.promoted)})
        mlflow.log_dict({"against": champion, "promoted": verdict.promoted, "reasons": verdict.reasons}, "verdict.json")
        mlflow.log_metrics({f"{one.name}_auc": one.evaluation.scalars["auc"] for one in found})
        experiment = parent.info.experiment_id
        link = f"/#/compare-runs?runs={json.dumps(runs)}&experiments={json.dumps([experiment])}".replace('"', "%22")
        mlflow.log_text(comparison_page(found, link), "comparison.html")
        compared = [{"learner": one.name, **one.evaluation.scalars} for one in found]
        mlflow.log_figure(figures.comparison_plot(compared), "comparison.png")
    return [
        _told(one, run, version if one is best else None, verdict if one is best else None, data, span)
        for one, run in zip(found, runs, strict=True)
    ]


def _verdict(
    client: MlflowClient, found: Sequence[Trained], best: Trained, data: TrainingData, settings: ChurnSettings
) -> tuple[Verdict, str]:
    """Against the champion on the same test months; without one against recency alone."""
    opponent, name = _opponent(client, found, data)
    columns = {feature: data.testing.x[:, place] for place, feature in enumerate(data.testing.features)}
    labels = np.concatenate([data.fitting.y, data.choosing.y, data.testing.y])
    # Leaks through data, not through a learner: the logistic regression finds them as well, and fast.
    blind = LOCAL["logistic"](settings.seed)
    contest = Contest(
        y=data.testing.y,
        challenger=best.evaluation.scores,
        opponent=opponent,
        subscriber=data.testing.subscriber,
        slices=data.slices,
        feature_aucs={feature: single_feature_auc(values, data.testing.y) for feature, values in columns.items()},
        shuffled_auc=shuffled_auc(lambda rows, y: shuffled_scores(blind, rows, np.asarray(y)), data, labels, repeats=3),
        opponent_name=name,
    )
    return judge(contest, Gate(**settings.gate.model_dump())), name


def _opponent(client: MlflowClient, found: Sequence[Trained], data: TrainingData) -> tuple[Floats, str]:
    champion = aliased(client, CHAMPION)
    if champion is None:
        baseline = next((one for one in found if one.name == BASELINE), None)
        if baseline is not None:
            return baseline.evaluation.scores, BASELINE
        recency = data.testing.features.index(BASELINE)
        return data.testing.x[:, recency], BASELINE
    model, version = champion
    places = {feature: place for place, feature in enumerate(data.testing.features)}
    x = np.full((len(data.testing), len(model.features.names)), np.nan)
    for place, feature in enumerate(model.features.names):
        if feature in places:
            x[:, place] = data.testing.x[:, places[feature]]
    return model.score(x), f"champion, version {version}"


def _note(best: Trained, verdict: Verdict, note: str) -> str:
    outcome = "Promoted to champion" if verdict.promoted else "Not promoted"
    return f"{best.name}. {note}\n\n{outcome}: {'; '.join(verdict.reasons)}"


def _tags(best: Trained, verdict: Verdict, tags: Mapping[str, str]) -> dict[str, Any]:
    return {**tags, "learner": best.name, "promoted": verdict.promoted, "auc": round(best.evaluation.scalars["auc"], 4)}


def _told(
    one: Trained, run: str, version: str | None, verdict: Verdict | None, data: TrainingData, span: Span
) -> tuple[Any, ...]:
    """Cells of CHURN_MODELS, in their order."""
    scalars = one.evaluation.scalars
    return (
        *(span.month, one.name, run, None if version is None else int(version)),
        *(None if verdict is None else verdict.promoted, None if verdict is None else "; ".join(verdict.reasons)),
        *(one.model.calibration.how, data.features.hash, len(data.fitting) + len(data.choosing), len(data.testing)),
        *(float(scalars[name]) for name in COMPARED),
        *(one.choosing_log_loss, one.fits.seconds),
    )
