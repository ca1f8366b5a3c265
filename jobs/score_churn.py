"""churn_features, subscriber_metrics and the champion in MLflow -> churn_scores."""

from __future__ import annotations

from visitgrain.runtime.job import Job, Read, deferred, during, months_in
from visitgrain.tables.churning import CHURN_FEATURES, CHURN_SCORES
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

JOB = Job(
    name="score_churn",
    summary="Scores everybody who was active in the month: risk of silence, tier, rank, reasons.",
    grain="month",
    reads=(
        Read(CHURN_FEATURES, months_in, as_files=True),
        during(SUBSCRIBER_METRICS, optional=True, as_files=True),
    ),
    writes=(CHURN_SCORES,),
    transform=deferred("visitgrain.churn.scoring", "score_churn"),
    spec=lambda catalogue: catalogue,
    tracked=True,
)
