"""churn_features, churn_labels and subscriber_metrics -> models of coming back in MLflow, return_models."""

from __future__ import annotations

from visitgrain.runtime.job import Job, deferred, through
from visitgrain.tables.churning import CHURN_FEATURES, CHURN_LABELS, RETURN_MODELS
from visitgrain.tables.inputs import CAMPAIGN_EXPOSURES
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

JOB = Job(
    name="train_return",
    summary="Trains, compares and registers models of coming back unaided, on labels up to the month.",
    grain="month",
    reads=(
        through(CHURN_FEATURES),
        through(CHURN_LABELS),
        through(SUBSCRIBER_METRICS, optional=True),
        through(CAMPAIGN_EXPOSURES, optional=True),
    ),
    writes=(RETURN_MODELS,),
    transform=deferred("visitgrain.churn.train", "train_return"),
    spec=lambda catalogue: catalogue,
    tracked=True,
)
