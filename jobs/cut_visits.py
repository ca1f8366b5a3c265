"""events -> device_visits."""

from __future__ import annotations

from datetime import timedelta

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.runtime.job import Job, Link, during
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.visiting import DEVICE_VISITS
from visitgrain.visits.device_visits import FILTERED, to_device_visits


def timeout(catalogue: Catalogue) -> timedelta:
    """Events further apart than this are in visits of their own, whatever lies elsewhere."""
    return timedelta(minutes=max(catalogue.visit_rules.timeout_minutes.values()))


def local(catalogue: Catalogue) -> str | None:
    """Streams with a collector's key are not of a device; where the first event of all decides, days are not apart."""
    rules = catalogue.visit_rules
    return "device_id" if rules.cut == "timeout" and rules.max_received_after_start_days is None else None


JOB = Job(
    name="cut_visits",
    summary="Cuts each device's events into visits.",
    grain="day",
    # A visit is shorter than 24 hours, else it is quarantined: what decides it is less than that before and after it.
    reads=(during(EVENTS, before=2, after=2, as_files=True, by="device_id", link=Link("event_time", timeout)),),
    writes=(DEVICE_VISITS,),
    transform=to_device_visits,
    spec=lambda catalogue: catalogue,
    local=lambda catalogue, _: local(catalogue),
    conserves="events",
    outcomes=FILTERED,
)
