"""visits, visit_days, snapshots and orders -> month_features."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during, month_of
from visitgrain.segments.month_features import summarise_months
from visitgrain.tables.inputs import ORDERS, SUBSCRIBER_MONTH
from visitgrain.tables.segmentation import MONTH_FEATURES
from visitgrain.tables.visiting import VISIT_DAYS, VISITS

JOB = Job(
    name="summarise_months",
    summary="Brings a subscriber's visits of a month and the month's snapshot into one row.",
    grain="month",
    reads=(
        during(VISITS, as_files=True),
        during(VISIT_DAYS, before=1),  # partitioned by start day: a visit over midnight began the day before
        month_of(SUBSCRIBER_MONTH, optional=True),
        month_of(SUBSCRIBER_MONTH, offset=-1, optional=True, name="snapshot_before"),
        during(ORDERS, optional=True),
    ),
    writes=(MONTH_FEATURES,),
    transform=summarise_months,
    spec=lambda catalogue: catalogue.score_cards,
    conserves="visits",
    outcomes=("anonymous",),
)
