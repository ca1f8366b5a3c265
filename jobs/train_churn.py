"""churn_features, churn_labels and subscriber_metrics -> models in MLflow, churn_models."""

from __future__ import annotations

from visitgrain.runtime.job import Job, deferred, through
from visitgrain.tables.churning import CHURN_FEATURES, CHURN_LABELS, CHURN_MODELS
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

JOB = Job(
    name="train_churn",
    summary="Trains, compares and registers models of silence, on labels up to the month.",
    grain="month",
    reads=(
        through(CHURN_FEATURES),
        through(CHURN_LABELS),
        through(SUBSCRIBER_METRICS, optional=True),
    ),
    writes=(CHURN_MODELS,),
    transform=deferred("visitgrain.churn.train", "train_churn"),
    spec=lambda catalogue: catalogue,
    tracked=True,
)
