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
    # A visit is shorter than 24 hours, else it is quarantined: what decides it is less than that before and after it.
    reads=(during(EVENTS, before=2, after=2, as_files=True, by="device_id"),),
    writes=(DEVICE_VISITS,),
    transform=to_device_visits,
    spec=lambda catalogue: catalogue,
    local=lambda catalogue, _: None if catalogue.visit_rules.cut == "collector_key" else "device_id",
    conserves="events",
    outcomes=FILTERED,
)
