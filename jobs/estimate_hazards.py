"""churn_features, subscriber_metrics and the champion in MLflow -> silence_hazards."""

from __future__ import annotations

from visitgrain.runtime.job import Job, deferred, during, month_of
from visitgrain.tables.churning import CHURN_FEATURES
from visitgrain.tables.hazards import SILENCE_HAZARDS
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

JOB = Job(
    name="estimate_hazards",
    summary="Estimates when subscribers who are not silent will go silent, and flags who falls below the own habit.",
    grain="month",
    reads=(month_of(CHURN_FEATURES), during(SUBSCRIBER_METRICS, optional=True)),
    writes=(SILENCE_HAZARDS,),
    transform=deferred("visitgrain.churn.hazard_scoring", "estimate_hazards"),
    spec=lambda catalogue: catalogue,
    tracked=True,
)
