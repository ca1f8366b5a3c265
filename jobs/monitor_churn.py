"""churn_features, subscriber_metrics, churn_scores, churn_labels and models in MLflow -> churn_monitoring."""

from __future__ import annotations

from visitgrain.runtime.job import Job, Read, deferred, during, months_in
from visitgrain.span import shifted_month
from visitgrain.tables.churning import CHURN_FEATURES, CHURN_LABELS, CHURN_MONITORING, CHURN_SCORES
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

JOB = Job(
    name="monitor_churn",
    summary="Checks drift of inputs and scores, how past scores came true, and whether a new model is due.",
    grain="month",
    reads=(
        Read(CHURN_FEATURES, months_in),
        during(SUBSCRIBER_METRICS, optional=True),
        Read(CHURN_SCORES, lambda span: (shifted_month(span.start, -1), span.end), optional=True),
        Read(CHURN_LABELS, months_in, optional=True),
    ),
    writes=(CHURN_MONITORING,),
    transform=deferred("visitgrain.churn.monitoring", "monitor_churn"),
    spec=lambda catalogue: catalogue,
    tracked=True,
)
