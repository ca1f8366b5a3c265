"""A trained model in words, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from visitgrain.churn.evaluation import Rows
from visitgrain.churn.training import Trained
from visitgrain.churn.training_data import TrainingData

MEANING = {
    "recency": "days since the last active day, alone",
    "rfv_logistic": "recency, active days and events of 30 days",
    "logistic": "all features in a regularised logistic regression",
    "lightgbm": "boosted trees, trained in one process",
    "xgboost_spark": "boosted trees, trained on the whole table in Spark",
    "gbt_spark": "boosted trees of Spark ML, trained on the whole table without native code",
}


def model_card(found: Trained, data: TrainingData) -> str:
    """What the model is for, what it was made from, how it does, and where it does not hold. Markdown."""
    s, about = found.evaluation.scalars, found.model.about
    numbers = {
        "AUC": auc_in_words(s),
        "AUC by month": f"{s['auc_month_mean']:.4f} +- {s['auc_month_sd']:.4f}",
        "PR-AUC": f"{s['pr_auc']:.4f} ({s['pr_auc_low']:.4f} to {s['pr_auc_high']:.4f}), base {s['base_rate']:.1%}",
        "lift at 10 %": f"{s['lift_at_10']:.3f} of at most {s['lift_ceiling']:.2f}",
        "capture at 10 %": f"{s['capture_at_10']:.1%} of the silent",
        "log-loss, Brier, ECE": f"{s['log_loss']:.4f}, {s['brier']:.4f}, {s['ece']:.4f}",
        "expected profit": f"{s['empc_fen'] / 100:.2f} yuan a subscriber, addressing {s['empc_share']:.0%}",
    }
    return f"""# Churn model: {found.name}

**Says** the probability that a subscriber who was active on the label channel ({about["label_channel"]}) in a month
has no active day there in the next one. **For** choosing whom to address first; not for price or service of a person.

Learner: {MEANING.get(found.name, found.name)}. Calibration: {found.model.calibration.how}.

{_months(data)}
- {data.share:.0%} of the subscribers, {len(data.features.names)} features, definitions {data.features.hash}
- tables: {", ".join(_table(name, number) for name, number in about["versions"].items())}

{markdown([{"on the test months": name, "": value} for name, value in numbers.items()], ("on the test months", ""))}

{markdown(found.evaluation.tables["deciles"], ("decile", "rows", "observed", "predicted", "lift"))}

Who leaves the operator in the month is silent too, and no campaign in the app reaches them. Intervals resample
subscribers. A month differs from the next: `monitor_churn` measures each one again when its labels are in.
"""


def auc_in_words(scalars: Mapping[str, float]) -> str:
    """With its interval."""
    return f"{scalars['auc']:.4f} ({scalars['auc_low']:.4f} to {scalars['auc_high']:.4f})"


def _months(data: TrainingData) -> str:
    """Three lines of a list: what settings, the final model and the test rest on."""
    split = data.split
    train, choose, test = (f"{used[0]:%Y-%m} to {used[-1]:%Y-%m}" for used in (split.train, split.choose, split.test))
    return f"""- settings chosen by learning from {len(data.fitting):,} rows of cut-offs {train} and comparing on \
{len(data.choosing):,} of {choose}
- this model then learnt from both, {len(data.learning):,} rows
- tested once on {len(data.testing):,} rows of cut-offs {test}"""


def _table(name: str, version: int) -> str:
    return f"{name} version {version}" if version >= 0 else f"{name} (not there yet)"


def markdown(rows: Rows, columns: Sequence[str]) -> str:
    """A table of the columns, which are the keys of each row too."""

    def cell(value: Any) -> str:
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cell(row[name]) for name in columns)} |" for row in rows)])
