"""events -> device_visits."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.visiting import DEVICE_VISITS
from visitgrain.visits.device_visits import FILTERED, to_device_visits

JOB = Job(
    name="cut_visits",
    summary="Cuts each device's events into visits.",
    grain="day",
    # A visit that starts on the day before the span may still grow; what begins before that is only context.
    reads=(during(EVENTS, before=3, after=1, as_files=True),),
    writes=(DEVICE_VISITS,),
    transform=to_device_visits,
    spec=lambda catalogue: catalogue,
    conserves="events",
    outcomes=FILTERED,
    rewrites_before=1,
)
