"""churn_features of the month before, and what was done in the month -> churn_labels."""

from __future__ import annotations

from visitgrain.churn.labels import OPEN_MONTH, label_silence
from visitgrain.runtime.job import Job, Read, during, months_before, months_in
from visitgrain.tables.churning import ACTIVITY_DAYS, CHURN_FEATURES, CHURN_LABELS
from visitgrain.tables.inputs import SUBSCRIBER_MONTH

JOB = Job(
    name="label_silence",
    summary="Says who of those active in the month before was silent in the month.",
    grain="month",
    reads=(
        Read(CHURN_FEATURES, months_before, optional=True),
        during(ACTIVITY_DAYS),
        Read(SUBSCRIBER_MONTH, months_in, optional=True),
    ),
    writes=(CHURN_LABELS,),
    transform=label_silence,
    spec=lambda catalogue: catalogue,
    many_months=True,
    conserves="churn_features",
    outcomes=(OPEN_MONTH,),
)
