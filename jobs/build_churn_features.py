"""activity_days, snapshots and segments -> churn_features."""

from __future__ import annotations

from visitgrain.churn.features import build_churn_features
from visitgrain.runtime.job import Job, Read, months_in, through
from visitgrain.span import shifted_month
from visitgrain.tables.churning import ACTIVITY_DAYS, CHURN_FEATURES
from visitgrain.tables.inputs import SUBSCRIBER_MONTH
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS, TIME_PREFERENCES

JOB = Job(
    name="build_churn_features",
    summary="Brings together what is known of every active subscriber at the end of the month.",
    grain="month",
    reads=(
        through(ACTIVITY_DAYS),
        Read(SUBSCRIBER_MONTH, lambda span: (shifted_month(span.start, -1), span.end.replace(day=1)), optional=True),
        Read(CONSUMPTION_SEGMENTS, months_in, optional=True),
        Read(BEHAVIOUR_SEGMENTS, months_in, optional=True),
        Read(TIME_PREFERENCES, months_in, optional=True),
    ),
    writes=(CHURN_FEATURES,),
    transform=build_churn_features,
    spec=lambda catalogue: catalogue,
    many_months=True,
)
