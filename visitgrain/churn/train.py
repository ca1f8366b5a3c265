"""Training jobs: labelled rows of Spark tables -> learners, tracked and compared in MLflow -> a row per learner."""

from __future__ import annotations

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn import Tracking
from visitgrain.churn.experiment import run_experiment
from visitgrain.churn.model_rows import feature_set, labelled, rows_of
from visitgrain.churn.tracking import MODEL, RETURN, tracked
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
    """One row per learner of silence. `span` is the month that is over: its labels are the last ones used.

    Raises InputMissing under three months with labels, GateRefused where MLflow does not answer.
    """
    rows = labelled(rows_of(churn_features, subscriber_metrics, spec), churn_labels)
    return _trained(rows, spec, span, tracking, MODEL)


def train_return(
    *,
    churn_features: DataFrame,
    churn_labels: DataFrame,
    subscriber_metrics: DataFrame,
    campaign_exposures: DataFrame,
    spec: Catalogue,
    span: Span,
    tracking: Tracking,
) -> DataFrame:
    """One row per learner of coming back unaided: whoever got a delivery of a campaign in the month is left out.

    Raises as `train_churn`.
    """
    rows = labelled(rows_of(churn_features, subscriber_metrics, spec, active=False), churn_labels, outcome="not silent")
    month = F.add_months(F.trunc("exposure_date", "month"), -1).alias("month")
    aided = campaign_exposures.select("subscriber_id", month).distinct()
    return _trained(rows.join(aided, ["subscriber_id", "month"], how="anti"), spec, span, tracking, RETURN)


def _trained(rows: DataFrame, spec: Catalogue, span: Span, tracking: Tracking, model: str) -> DataFrame:
    settings = spec.churn
    known = rows.where(F.col("month") < F.lit(span.month))
    data = collected(known, feature_set(spec), settings)
    about = {
        "label_channel": settings.label_channel,
        "versions": tracking.versions,
        "counts": data.counts,
        "catalogue_hash": spec.hash,
        "lake": tracking.lake,
    }
    trials = settings.trials if tracking.trials is None else tracking.trials
    with tracked(tracking, model) as client:
        found = trained(known, data, settings, trials=trials, about=about)
        told = run_experiment(
            client, found, data, settings, month=span.month, tracking=tracking, about=about, model=model
        )
    return literal_rows(rows, told, *((c.name, c.type) for c in CHURN_MODELS.columns))
