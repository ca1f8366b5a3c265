"""The training job of hazards: learners are fitted, tracked and compared; the best one is registered."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn import ChurnSettings, Tracking
from visitgrain.churn import registry
from visitgrain.churn.curves import reliability
from visitgrain.churn.hazard_data import JUDGED_WEEKS, HazardData, collected_hazards
from visitgrain.churn.hazard_evaluation import COMPARED, evaluated, verdict_on
from visitgrain.churn.hazard_model import HazardModel, load
from visitgrain.churn.mlflow_pages import colour, save_view, source
from visitgrain.churn.model_rows import feature_set, rows_of
from visitgrain.churn.onsets import silence_onsets
from visitgrain.churn.promotion import Verdict
from visitgrain.churn.quality import Floats
from visitgrain.churn.reporting import example_of, requirements
from visitgrain.churn.survival import expected_days, person_weeks, silent_within
from visitgrain.churn.tracking import CHAMPION, HAZARD, aliased, registered, tracked
from visitgrain.churn.training import LOCAL
from visitgrain.expressions.literal_rows import literal_rows
from visitgrain.span import Span
from visitgrain.tables.hazards import HAZARD_MODELS

if TYPE_CHECKING:
    from mlflow import MlflowClient

SERVED = Path(__file__).with_name("served_hazards.py")  # not imported: MLflow takes seconds


@dataclass(frozen=True, eq=False)
class TrainedHazards:
    """A learner's model, its hazards of the test rows, and how they do."""

    name: str
    model: HazardModel
    hazard: Floats
    scalars: Mapping[str, float]
    choosing_log_loss: float  # of person-weeks
    person_weeks: int
    seconds: float


def train_hazards(
    *,
    churn_features: DataFrame,
    activity_days: DataFrame,
    subscriber_metrics: DataFrame,
    spec: Catalogue,
    span: Span,
    tracking: Tracking,
) -> DataFrame:
    """One row per learner. `span` is the month that is over: silences known by its end are the last ones used.

    Raises InputMissing where months are too few, GateRefused where MLflow does not answer.
    """
    features = churn_features.where(F.col("month") < F.lit(span.month))
    onsets = silence_onsets(features, activity_days, spec.churn)
    rows = rows_of(features, subscriber_metrics, spec)
    data = collected_hazards(rows, onsets, feature_set(spec), spec.churn)
    about = {
        "label_channel": spec.churn.label_channel,
        "versions": tracking.versions,
        "counts": data.counts,
        "catalogue_hash": spec.hash,
        "lake": tracking.lake,
    }
    with tracked(tracking, HAZARD) as client:
        told = _run(client, data, spec.churn, about, span, tracking)
    return literal_rows(churn_features, told, *((c.name, c.type) for c in HAZARD_MODELS.columns))


def trained_hazards(data: HazardData, settings: ChurnSettings, about: Mapping[str, Any]) -> Iterator[TrainedHazards]:
    """One by one, in the order of the settings."""
    horizon, silence_days = settings.survival.horizon_weeks, settings.survival.silence_days
    fitting, choosing = person_weeks(data.fitting, horizon), person_weeks(data.choosing, horizon)
    learning = person_weeks(data.learning, horizon)
    for name in settings.survival.learners:
        began = perf_counter()
        learner, loss = LOCAL[name](settings.seed).chosen(fitting, choosing)
        fitted = learner.fit(learning)
        seconds = perf_counter() - began
        model = HazardModel(fitted, data.features, horizon, silence_days, about)
        hazard = model.hazard(data.testing.panel.x)
        yield TrainedHazards(name, model, hazard, evaluated(hazard, data.testing), loss, len(learning), seconds)


def _run(
    client: MlflowClient,
    data: HazardData,
    settings: ChurnSettings,
    about: Mapping[str, Any],
    span: Span,
    tracking: Tracking,
) -> list[tuple[Any, ...]]:
    import mlflow

    month = f"{span.month:%Y-%m}"
    tags = {"month": month, "feature_hash": data.features.hash, "visitgrain.run_id": tracking.run_id}
    note = f"Silences known by {month}; tested on cut-offs {data.split.test[0]:%Y-%m} to {data.split.test[-1]:%Y-%m}."
    made_by = source("train_hazards")
    training = {**tags, **made_by, "kind": "training"}
    with mlflow.start_run(run_name=f"hazards {month}", tags=training, description=note) as parent:
        mlflow.log_dict(dict(about), "data.json")
        save_view(client, parent.info.experiment_id, by="c_index", columns=("choosing_log_loss", *COMPARED))
        found, runs, uris = [], [], []
        for one in trained_hazards(data, settings, about):
            learner = {**made_by, **colour(one.name), "kind": "learner"}
            with mlflow.start_run(run_name=f"{one.name} {month}", nested=True, tags=learner) as run:
                uris.append(_logged(one, data, tags))
            found.append(one)
            runs.append(run.info.run_id)
        best = min(found, key=lambda one: one.choosing_log_loss)
        verdict = _verdict(client, best, data, settings)
        note = f"{best.name} {month}, {verdict.outcome}. {note}\n\n{verdict.listed}"
        number = registered(client, uris[found.index(best)], note, {**tags, "learner": best.name}, HAZARD)
        if verdict.promoted:
            by = f"the gate in run {tracking.run_id}"
            registry.promote(client, int(number), reason=verdict.brief, by=by, name=HAZARD)
        mlflow.set_tags({"best": best.name, "version": number, "promoted": str(verdict.promoted)})
        mlflow.log_dict({"promoted": verdict.promoted, "reasons": verdict.reasons}, "verdict.json")
    return [
        _told(one, run, int(number) if one is best else None, verdict if one is best else None, data, span)
        for one, run in zip(found, runs, strict=True)
    ]


def _verdict(client: MlflowClient, best: TrainedHazards, data: HazardData, settings: ChurnSettings) -> Verdict:
    """Against the champion on the same test cut-offs; without one against recency alone."""
    champion = aliased(client, CHAMPION, HAZARD, load)
    features, x = data.testing.panel.features, data.testing.panel.x
    if champion is None:
        opponent, name = x[:, features.index("recency")], "baseline recency"
    else:
        model, name = champion[0], f"champion, version {champion[1]}"
        blank = np.full((len(x), 1), np.nan)  # a feature that is no longer there is missing
        places = [features.index(one) if one in features else -1 for one in model.features.names]
        opponent = silent_within(model.hazard(np.hstack([x, blank])[:, places]), JUDGED_WEEKS)
    return verdict_on(silent_within(best.hazard, JUDGED_WEEKS), opponent, name, data, settings)


def _logged(found: TrainedHazards, data: HazardData, tags: Mapping[str, str]) -> str:
    """Into the active run; URI of the logged model."""
    import mlflow
    from mlflow.models import infer_signature

    mlflow.set_tags({**tags, "learner": found.name})
    survival = {"horizon_weeks": found.model.horizon_weeks, "silence_days": found.model.silence_days}
    sizes = {"person_weeks": found.person_weeks, "test_rows": len(data.testing), "sampled_share": data.share}
    mlflow.log_params({**found.model.fitted.parameters(), **survival, **sizes})
    losses = {"choosing_log_loss": found.choosing_log_loss, "training_seconds": found.seconds}
    mlflow.log_metrics({name: value for name, value in {**found.scalars, **losses}.items() if np.isfinite(value)})
    begun = (data.testing.event & (data.testing.weeks < JUDGED_WEEKS)).astype(np.float64)
    tables = {
        "reliability_4w": [row._asdict() for row in reliability(begun, silent_within(found.hazard, JUDGED_WEEKS))],
        "importance": [{"feature": n, "share": share} for n, share in found.model.fitted.importance().items()],
        "features": data.features.described(),
    }
    for name, rows in tables.items():
        mlflow.log_table(pd.DataFrame(rows), f"tables/{name}.json")
    example = example_of(data.testing.panel)
    hazard = found.model.hazard(example.to_numpy())
    answer = {"p_silent_4w": silent_within(hazard, 4), "expected_days": expected_days(hazard)}
    with tempfile.TemporaryDirectory() as folder:
        found.model.save(Path(folder) / "model")
        info = mlflow.pyfunc.log_model(
            name=found.name,
            python_model=str(SERVED),
            artifacts={"model": str(Path(folder) / "model")},
            signature=infer_signature(example, pd.DataFrame({"hazard_1w": hazard[:, 0], **answer})),
            input_example=example,
            pip_requirements=requirements(),
        )
    return str(info.model_uri)


def _told(
    one: TrainedHazards, run: str, number: int | None, verdict: Verdict | None, data: HazardData, span: Span
) -> tuple[Any, ...]:
    """Cells of HAZARD_MODELS, in their order."""
    return (
        *(span.month, one.name, run, number),
        *(None if verdict is None else verdict.promoted, None if verdict is None else "; ".join(verdict.reasons)),
        *(data.features.hash, one.person_weeks, len(data.testing)),
        *(float(one.scalars[name]) if np.isfinite(one.scalars[name]) else None for name in COMPARED),
        *(one.choosing_log_loss, one.seconds),
    )
