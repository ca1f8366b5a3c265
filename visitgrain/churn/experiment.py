"""Candidates as they are trained -> runs in MLflow, the best one registered, and the gate's word on it. No Spark."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from visitgrain.catalogue.churn import ChurnSettings, Tracking
from visitgrain.churn import figures, registry
from visitgrain.churn.cards import MEANING, auc_in_words
from visitgrain.churn.comparison import Comparison
from visitgrain.churn.leakage import shuffled_auc, single_feature_auc
from visitgrain.churn.mlflow_pages import colour, compare_link, save_view, source, view_link
from visitgrain.churn.promotion import Contest, Gate, Verdict, judge
from visitgrain.churn.quality import Floats
from visitgrain.churn.reporting import log_tables_read, log_trained
from visitgrain.churn.tracking import CHAMPION, MODEL, aliased, registered
from visitgrain.churn.training import LOCAL, Trained, best_of, shuffled_scores
from visitgrain.churn.training_data import TrainingData

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOG = logging.getLogger(__name__)
BASELINE = "recency"
LONGEST = 2_000  # characters of a tag
COMPARED = (  # numbers that CHURN_MODELS keeps
    *("auc", "auc_low", "auc_high", "pr_auc", "lift_at_10", "capture_at_10"),
    *("log_loss", "brier", "ece", "empc_fen"),
)
IN_VIEW = ("choosing_log_loss", "auc", "auc_low", "auc_high", "pr_auc", "lift_at_10", "log_loss", "ece", "empc_fen")
Told = list[tuple[Any, ...]]


def run_experiment(
    client: MlflowClient,
    candidates: Iterable[Trained],
    data: TrainingData,
    settings: ChurnSettings,
    *,
    month: date,
    tracking: Tracking,
    about: Mapping[str, Any],
    model: str = MODEL,
) -> Told:
    """Cells of CHURN_MODELS, a row per candidate. `month` is the last one with labels.

    A candidate trains when it is asked for, inside its own run. Raises GateRefused where the registry does not answer;
    whatever fails, the champion stays.
    """
    import mlflow

    label = f"{month:%Y-%m}"
    tags = {"month": label, "feature_hash": data.features.hash, "visitgrain.run_id": tracking.run_id}
    tested = f"{data.split.test[0]:%Y-%m} to {data.split.test[-1]:%Y-%m}"
    note = f"Labels up to {label}; tested on cut-offs {tested}."
    made_by = source(f"train_{model}")
    found: list[Trained] = []
    runs: list[str] = []
    models: list[str] = []
    training = {**tags, **made_by, "kind": "training"}
    with mlflow.start_run(run_name=f"{model} {label}", tags=training, description=note) as parent:
        mlflow.log_params({"learners": ", ".join(settings.learners), "seed": settings.seed, "test_months": tested})
        mlflow.log_dict(dict(about), "data.json")
        mlflow.log_dict(settings.model_dump(mode="json"), "settings.json")
        mlflow.log_dict(data.left_out, "left_out.json")
        log_tables_read(tracking)
        for one in candidates:
            name = f"{one.name} {label}"
            learner = {**made_by, **colour(one.name), "kind": "learner"}
            told = _learner_note(one, note)
            with mlflow.start_run(run_name=name, nested=True, tags=learner, description=told) as run:
                models.append(log_trained(one, data, tags))
                log_tables_read(tracking)
            runs.append(run.info.run_id)
            found.append(one)
            LOG.info("%s: AUC %.4f", name, one.evaluation.scalars["auc"])
        best = best_of(found)
        verdict, against = _verdict(client, found, best, data, settings, model)
        compared = Comparison(model, label, note, found, best, verdict)
        version = registered(client, models[found.index(best)], compared.note, _tags(best, verdict, tags), model)
        mlflow.set_tags({"best": best.name, "version": version, "promoted": str(verdict.promoted), "against": against})
        mlflow.log_dict({"against": against, "promoted": verdict.promoted, "reasons": verdict.reasons}, "verdict.json")
        save_view(client, parent.info.experiment_id, by="auc", columns=IN_VIEW)
        _log_comparison(compared, parent.info.experiment_id, runs)
        if verdict.promoted:  # last: what is written before it does not change what scores
            by = f"the gate in run {tracking.run_id}"
            registry.promote(client, int(version), reason=verdict.brief, by=by, name=model)
    return [
        _told(one, run, version if one is best else None, verdict if one is best else None, data, month)
        for one, run in zip(found, runs, strict=True)
    ]


def _log_comparison(compared: Comparison, experiment_id: str, runs: Sequence[str]) -> None:
    """Into the active run: how the best one does, and all of them in a page, a figure and the note."""
    import mlflow

    mlflow.log_metric("auc", compared.best.evaluation.scalars["auc"])
    mlflow.log_text(compared.page(), "comparison.html")
    mlflow.log_figure(figures.comparison_plot(compared.scalars()), "comparison.png")
    compare, view = compare_link(experiment_id, runs), view_link(experiment_id)
    links = f"[Compare the runs]({compare}), [learners of all months]({view})"
    mlflow.set_tag("mlflow.note.content", compared.note_of_run(links))


def _verdict(
    client: MlflowClient,
    found: Sequence[Trained],
    best: Trained,
    data: TrainingData,
    settings: ChurnSettings,
    model: str,
) -> tuple[Verdict, str]:
    """Against the champion on the same test months; without one against recency alone."""
    opponent, name = _opponent(client, found, data, model)
    columns = {feature: data.testing.x[:, place] for place, feature in enumerate(data.testing.features)}
    labels = np.concatenate([data.learning.y, data.testing.y])
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


def _opponent(client: MlflowClient, found: Sequence[Trained], data: TrainingData, name: str) -> tuple[Floats, str]:
    champion = aliased(client, CHAMPION, name)
    if champion is None:
        baseline = next((one for one in found if one.name == BASELINE), None)
        if baseline is not None:
            return baseline.evaluation.scores, f"baseline {BASELINE}"
        recency = data.testing.features.index(BASELINE)
        return data.testing.x[:, recency], f"baseline {BASELINE}"
    model, version = champion
    places = {feature: place for place, feature in enumerate(data.testing.features)}
    x = np.full((len(data.testing), len(model.features.names)), np.nan)
    for place, feature in enumerate(model.features.names):
        if feature in places:
            x[:, place] = data.testing.x[:, places[feature]]
    lacking = [feature for feature in model.features.names if feature not in places]
    without = f" without {', '.join(lacking)}, which the data no longer have" if lacking else ""
    return model.score(x), f"champion, version {version}{without}"


def _learner_note(one: Trained, note: str) -> str:
    auc = auc_in_words(one.evaluation.scalars)
    return f"{MEANING.get(one.name, one.name)}. AUC {auc}. {note} More in `model_card.md` among the artifacts."


def _tags(best: Trained, verdict: Verdict, tags: Mapping[str, str]) -> dict[str, Any]:
    auc = round(best.evaluation.scalars["auc"], 4)
    return {**tags, "learner": best.name, "promoted": verdict.promoted, "auc": auc, "why": verdict.brief[:LONGEST]}


def _told(
    one: Trained, run: str, version: str | None, verdict: Verdict | None, data: TrainingData, month: date
) -> tuple[Any, ...]:
    """Cells of CHURN_MODELS, in their order."""
    scalars = one.evaluation.scalars
    return (
        *(month, one.name, run, None if version is None else int(version)),
        *(None if verdict is None else verdict.promoted, None if verdict is None else "; ".join(verdict.reasons)),
        *(one.model.calibration.how, data.features.hash, len(data.learning), len(data.testing)),
        *(float(scalars[name]) for name in COMPARED),
        *(one.choosing_log_loss, one.fits.seconds),
    )
