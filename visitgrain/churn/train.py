"""The training job: labelled rows of Spark tables -> learners, tracked and compared in MLflow -> churn_models."""

from __future__ import annotations

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn import Tracking
from visitgrain.churn.experiment import run_experiment
from visitgrain.churn.model_rows import feature_set, labelled, rows_of
from visitgrain.churn.tracking import tracked
from visitgrain.churn.training import trained
from visitgrain.churn.training_data import collected
from visitgrain.expressions.literal_rows import literal_rows
from visitgrain.span import Span
from visitgrain.tables.churning import CHURN_MODELS


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
        candidates = trained(rows, data, settings, trials=trials, about=about)
        told = run_experiment(client, candidates, data, settings, month=span.month, tracking=tracking, about=about)
    return literal_rows(churn_features, told, *((c.name, c.type) for c in CHURN_MODELS.columns))
