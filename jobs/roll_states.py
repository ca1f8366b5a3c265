"""subscriber_days and the state of the month before -> subscriber_state."""

from __future__ import annotations

from datetime import date, timedelta

from visitgrain.metrics.rolling import roll_states
from visitgrain.runtime.job import Job, Read, Window, during
from visitgrain.span import Span
from visitgrain.tables.measuring import SUBSCRIBER_DAYS, SUBSCRIBER_STATE


def month_end_before(span: Span) -> Window:
    """The last day before the month in which the span begins."""
    day: date = span.month - timedelta(days=1)
    return day, day


JOB = Job(
    name="roll_states",
    summary="Brings the state of every subscriber forward by a month: active days, first and last dates.",
    grain="month",
    reads=(Read(SUBSCRIBER_STATE, month_end_before, optional=True, name="before"), during(SUBSCRIBER_DAYS)),
    writes=(SUBSCRIBER_STATE,),
    transform=roll_states,
)
