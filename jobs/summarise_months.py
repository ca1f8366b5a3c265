"""visits, visit_days, snapshots and orders -> month_features."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during, month_of
from visitgrain.segments.month_features import Purposes, summarise_months
from visitgrain.tables.inputs import ORDERS, SUBSCRIBER_MONTH
from visitgrain.tables.segmentation import MONTH_FEATURES
from visitgrain.tables.visiting import VISIT_DAYS, VISITS

JOB = Job(
    name="summarise_months",
    summary="Brings a subscriber's visits of a month and the month's snapshot into one row.",
    grain="month",
    reads=(
        during(VISITS, as_files=True),
        # Partitioned by start day: a visit over midnight began the day before.
        during(VISIT_DAYS, before=1, as_files=True),
        month_of(SUBSCRIBER_MONTH, optional=True, as_files=True),
        month_of(SUBSCRIBER_MONTH, offset=-1, optional=True, as_files=True, name="snapshot_before"),
        during(ORDERS, optional=True, as_files=True),
    ),
    writes=(MONTH_FEATURES,),
    transform=summarise_months,
    spec=lambda catalogue: Purposes(tuple(catalogue.score_cards), catalogue.zone),
    conserves="visits",
    outcomes=("anonymous",),
)
