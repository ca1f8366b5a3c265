"""Days, states, snapshots and segments -> subscriber_metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from visitgrain.metrics.plans import Plans
from visitgrain.metrics.subscribers import compute_subscriber_metrics
from visitgrain.runtime.job import Job, Read, Window, during, month_ends_before, whole
from visitgrain.span import Span
from visitgrain.tables import Table
from visitgrain.tables.inputs import PRODUCTS, SUBSCRIBER_MONTH
from visitgrain.tables.measuring import MEASURED_DAYS, SUBSCRIBER_DAYS, SUBSCRIBER_METRICS, SUBSCRIBER_STATE
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS

TWO_QUARTERS = 180  # days before: two windows of 90
HISTORY = 460  # days: twelve months and cohorts falling due
SNAPSHOT_MONTHS = 12  # two windows of 90 days before, each with a snapshot of up to three months before


def months_back(table: Table, months: int, **more: Any) -> Read:
    """The months of the span and so many before, of a table by month."""

    def window(span: Span) -> Window:
        return (span.month - timedelta(days=31 * months)).replace(day=1), span.end.replace(day=1)

    return Read(table, window, optional=True, **more)


def reads(days_before: int, months: int) -> tuple[Read, ...]:
    """What windows are made of that look so many days back."""
    return (
        during(SUBSCRIBER_DAYS, before=days_before, as_files=True),
        Read(SUBSCRIBER_STATE, month_ends_before, optional=True, as_files=True),
        during(MEASURED_DAYS, before=HISTORY),
        months_back(SUBSCRIBER_MONTH, months),
        months_back(SUBSCRIBER_MONTH, months, as_files=True, name="snapshot_files"),
        whole(PRODUCTS, optional=True),
        months_back(CONSUMPTION_SEGMENTS, months, as_files=True),
        months_back(BEHAVIOUR_SEGMENTS, months, as_files=True),
    )


JOB = Job(
    name="compute_subscriber_metrics",
    summary="Computes every metric that a subscriber has, for the windows that end with the month.",
    grain="month",
    reads=reads(TWO_QUARTERS, SNAPSHOT_MONTHS),
    writes=(SUBSCRIBER_METRICS,),
    transform=compute_subscriber_metrics,
    spec=Plans.of_subscribers,
)
