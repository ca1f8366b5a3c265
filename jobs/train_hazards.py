"""churn_features, activity_days and subscriber_metrics -> models of hazards in MLflow, hazard_models."""

from __future__ import annotations

from visitgrain.runtime.job import Job, deferred, through
from visitgrain.tables.churning import ACTIVITY_DAYS, CHURN_FEATURES
from visitgrain.tables.hazards import HAZARD_MODELS
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

JOB = Job(
    name="train_hazards",
    summary="Trains, compares and registers models of when silence begins, on silences known by the month's end.",
    grain="month",
    reads=(
        through(CHURN_FEATURES),
        through(ACTIVITY_DAYS),
        through(SUBSCRIBER_METRICS, optional=True),
    ),
    writes=(HAZARD_MODELS,),
    transform=deferred("visitgrain.churn.hazard_training", "train_hazards"),
    spec=lambda catalogue: catalogue,
    tracked=True,
)
