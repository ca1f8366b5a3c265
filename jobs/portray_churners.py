"""churn_features, subscriber_metrics, churn_scores and churn_labels -> churn_portraits."""

from __future__ import annotations

from visitgrain.runtime.job import Job, Read, deferred, month_of, months_in
from visitgrain.span import shifted_month
from visitgrain.tables.churning import CHURN_FEATURES, CHURN_LABELS, CHURN_PORTRAITS, CHURN_SCORES
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

JOB = Job(
    name="portray_churners",
    summary="Tells how tiers of risk, and those who went silent, differ from who stays.",
    grain="month",
    reads=(
        Read(CHURN_FEATURES, lambda span: (shifted_month(span.start, -1), span.end)),
        Read(SUBSCRIBER_METRICS, lambda span: (shifted_month(span.start, -1), span.end), optional=True),
        Read(CHURN_SCORES, months_in),
        Read(CHURN_LABELS, months_in, optional=True),
        month_of(CHURN_PORTRAITS, offset=-1, optional=True, name="before"),
    ),
    writes=(CHURN_PORTRAITS,),
    transform=deferred("visitgrain.churn.portrait", "portray_churners"),
    spec=lambda catalogue: catalogue,
)
