"""subscriber_days and the state of the month before -> subscriber_state."""

from __future__ import annotations

from visitgrain.metrics.rolling import roll_states
from visitgrain.runtime.job import Job, Read, during, month_ends_before
from visitgrain.tables.measuring import SUBSCRIBER_DAYS, SUBSCRIBER_STATE

JOB = Job(
    name="roll_states",
    summary="Brings the state of every subscriber forward by a month: active days, first and last dates.",
    grain="month",
    reads=(
        Read(SUBSCRIBER_STATE, month_ends_before, optional=True, as_files=True, name="before"),
        during(SUBSCRIBER_DAYS, as_files=True),
    ),
    writes=(SUBSCRIBER_STATE,),
    transform=roll_states,
)
