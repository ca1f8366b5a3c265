"""events, visits, orders and campaigns -> subscriber_slice_days."""

from __future__ import annotations

from jobs.measure_days import READS
from visitgrain.measures.days import Measured, measure_slice_days
from visitgrain.runtime.job import Job
from visitgrain.tables.measuring import SUBSCRIBER_SLICE_DAYS

JOB = Job(
    name="measure_slice_days",
    summary="The same measures told apart by channel, business, touchpoint, campaign, operating system and version.",
    grain="day",
    reads=READS,
    writes=(SUBSCRIBER_SLICE_DAYS,),
    transform=measure_slice_days,
    spec=Measured.of,
)
