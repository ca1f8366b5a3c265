"""A trained model as an MLflow run: parameters, numbers, tables, figures and a card in words."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visitgrain.churn import figures, served
from visitgrain.churn.evaluation import Rows
from visitgrain.churn.training import Trained
from visitgrain.churn.training_data import TrainingData

EXAMPLE_ROWS = 5
EXPLAINED_ROWS = 1_000
REQUIREMENTS = ("mlflow", "lightgbm", "xgboost-cpu", "scikit-learn", "scipy", "numpy", "pandas", "polars")
COMPARED = (
    "auc",
    "auc_low",
    "auc_high",
    "pr_auc",
    "lift_at_10",
    "capture_at_10",
    "log_loss",
    "brier",
    "ece",
    "empc_fen",
)
MEANING = {
    "recency": "days since the last active day, alone",
    "rfv_logistic": "recency, active days and events of 30 days",
    "logistic": "all features in a regularised logistic regression",
    "lightgbm": "boosted trees, trained in one process",
    "xgboost_spark": "boosted trees, trained on the whole table in Spark",
}

PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><title>Churn models compared</title><style>
body {{font-family: sans-serif}} table {{border-collapse: collapse}}
td, th {{border: 1px solid #ccc; padding: 4px 8px; text-align: right}}
</style></head><body><h1>Churn models compared</h1>
<p>The same test months for all. <a href="{link}">Compare the runs in MLflow</a></p>
<table><tr>{head}</tr>{body}</table></body></html>
"""


def log_trained(found: Trained, data: TrainingData, tags: Mapping[str, str]) -> str:
    """Into the active run; URI of the logged model."""
    import mlflow

    mlflow.set_tags({**tags, "learner": found.name})
    mlflow.log_params(_parameters(found, data))
    mlflow.log_metrics({name: value for name, value in found.evaluation.scalars.items() if np.isfinite(value)})
    mlflow.log_metrics({"choosing_log_loss": found.choosing_log_loss, "training_seconds": found.fits.seconds})
    importance = found.model.fitted.importance()
    tables = {
        **found.evaluation.tables,
        "importance": [{"feature": name, "share": share} for name, share in importance.items()],
        "features": [{"feature": n, "definition": d} for n, d in data.features.definitions.items()],
        "learning_curve": found.fits.curve,
    }
    for name, rows in tables.items():
        if rows:
            mlflow.log_table(pd.DataFrame(rows), f"tables/{name}.json")
    for name, figure in _figures(found, data, importance).items():
        mlflow.log_figure(figure, f"figures/{name}.png")
    mlflow.log_text(model_card(found, data), "model_card.md")
    for trial in found.fits.trials:
        with mlflow.start_run(run_name=f"{found.name} trial {trial.number}", nested=True, tags={"kind": "trial"}):
            mlflow.log_params(trial.parameters)
            mlflow.log_metrics({"choosing_log_loss": trial.value, "training_seconds": trial.seconds})
    return _log_model(found, data)


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
        "test_rows": len(data.testing),
        "sampled_share": data.share,
        "features": len(data.features.names),
        "feature_hash": data.features.hash,
    }


def _figures(found: Trained, data: TrainingData, importance: Mapping[str, float]) -> dict[str, Any]:
    tables = found.evaluation.tables
    shown = data.testing.where(np.arange(min(EXPLAINED_ROWS, len(data.testing))))
    drawn = {
        "reliability": figures.reliability_plot(tables["reliability"]),
        "gains": figures.gains_curve(tables["gains"]),
        "lift": figures.lift_by_decile(tables["deciles"]),
        "profit": figures.profit_plot(tables["profit"]),
        "importance": figures.importance_plot(importance),
        "shap_summary": figures.shap_summary(found.contributions(shown), shown.x, shown.features),
    }
    return drawn | ({"learning_curve": figures.learning_curve(found.fits.curve)} if found.fits.curve else {})


def _log_model(found: Trained, data: TrainingData) -> str:
    import mlflow
    from mlflow.models import infer_signature

    rows = data.testing.where(np.arange(min(EXAMPLE_ROWS, len(data.testing))))
    example = pd.DataFrame(rows.x, columns=list(rows.features))
    answer = pd.DataFrame({"probability": found.model.score(rows.x), "tier": "low"})
    with tempfile.TemporaryDirectory() as folder:
        found.model.save(Path(folder) / "model")
        info = mlflow.pyfunc.log_model(
            name=found.name,
            python_model=served.__file__,
            artifacts={"model": str(Path(folder) / "model")},
            signature=infer_signature(example, answer),
            input_example=example,
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        )
    return str(info.model_uri)


def model_card(found: Trained, data: TrainingData) -> str:
    """What the model is for, what it was made from, how it does, and where it does not hold. Markdown."""
    s, split, about = found.evaluation.scalars, data.split, found.model.about
    numbers = {
        "AUC": f"{s['auc']:.4f} ({s['auc_low']:.4f} to {s['auc_high']:.4f})",
        "AUC by month": f"{s['auc_month_mean']:.4f} +- {s['auc_month_sd']:.4f}",
        "PR-AUC": f"{s['pr_auc']:.4f} ({s['pr_auc_low']:.4f} to {s['pr_auc_high']:.4f}), base {s['base_rate']:.1%}",
        "lift at 10 %": f"{s['lift_at_10']:.3f} of at most {s['lift_ceiling']:.2f}",
        "capture at 10 %": f"{s['capture_at_10']:.1%} of the silent",
        "log-loss, Brier, ECE": f"{s['log_loss']:.4f}, {s['brier']:.4f}, {s['ece']:.4f}",
        "expected profit": f"{s['empc_fen'] / 100:.2f} yuan a subscriber, addressing {s['empc_share']:.0%}",
    }
    parts = {"learnt from": split.train, "settings chosen on": split.choose, "tested once on": split.test}
    sizes = (len(data.fitting), len(data.choosing), len(data.testing))
    months = [
        f"- {name} {rows:,} rows of cut-offs {used[0]:%Y-%m} to {used[-1]:%Y-%m}"
        for (name, used), rows in zip(parts.items(), sizes, strict=True)
    ]
    return f"""# Churn model: {found.name}

**Says** the probability that a subscriber who was active on the label channel ({about["label_channel"]}) in a month
has no active day there in the next one. **For** choosing whom to address first; not for price or service of a person.

Learner: {MEANING.get(found.name, found.name)}. Calibration: {found.model.calibration.how}.

{chr(10).join(months)}
- {data.share:.0%} of the subscribers, {len(data.features.names)} features, definitions {data.features.hash}
- tables: {", ".join(f"{name} version {number}" for name, number in about["versions"].items())}

{_markdown([{"on the test months": name, "": value} for name, value in numbers.items()], ("on the test months", ""))}

{_markdown(found.evaluation.tables["deciles"], ("decile", "rows", "observed", "predicted", "lift"))}

Who leaves the operator in the month is silent too, and no campaign in the app reaches them. Intervals resample
subscribers. A month differs from the next: `monitor_churn` measures each one again when its labels are in.
"""


def _markdown(rows: Rows, columns: Sequence[str]) -> str:
    def cell(value: Any) -> str:
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cell(row[name]) for name in columns)} |" for row in rows)])


def comparison_page(found: Sequence[Trained], link: str) -> str:
    """All learners side by side, as a page of its own."""
    head = "".join(f"<th>{name}</th>" for name in ("learner", "what it is", *COMPARED, "seconds"))
    body = "".join(
        "<tr>"
        + f"<td>{one.name}</td><td>{MEANING.get(one.name, '')}</td>"
        + "".join(f"<td>{one.evaluation.scalars[name]:.4f}</td>" for name in COMPARED)
        + f"<td>{one.fits.seconds:.1f}</td></tr>"
        for one in found
    )
    return PAGE.format(link=link, head=head, body=body)
