"""churn_features, subscriber_metrics and the champion of coming back in MLflow -> return_scores."""

from __future__ import annotations

from visitgrain.runtime.job import Job, Read, deferred, during, months_in
from visitgrain.tables.churning import CHURN_FEATURES, RETURN_SCORES
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

JOB = Job(
    name="score_returns",
    summary="Scores everybody who is silent already: chance of coming back unaided, rank, reasons.",
    grain="month",
    reads=(
        Read(CHURN_FEATURES, months_in, as_files=True),
        during(SUBSCRIBER_METRICS, optional=True, as_files=True),
    ),
    writes=(RETURN_SCORES,),
    transform=deferred("visitgrain.churn.scoring", "score_returns"),
    spec=lambda catalogue: catalogue,
    tracked=True,
)
