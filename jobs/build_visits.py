"""device_visits -> visits, quarantined_visits."""

from __future__ import annotations

from visitgrain.catalogue.visit_rules import LOOK_AHEAD_DAYS
from visitgrain.runtime.job import Job, during, until, whole
from visitgrain.tables.inputs import NUMBERS
from visitgrain.tables.runs import UNSTITCHED
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISITS
from visitgrain.visits.history import to_visits

# Elapsed days, so one local day more; a visit that began before the span may go on in it.
AROUND = {"before": 2, "after": LOOK_AHEAD_DAYS + 1, "as_files": True}
JOB = Job(
    name="build_visits",
    summary="Gives each visit its subscriber, recency, frequency and scores.",
    grain="day",
    reads=(
        during(DEVICE_VISITS, as_files=True),
        during(DEVICE_VISITS, name="visits_around", **AROUND),
        until(VISITS, optional=True, as_files=True),
        whole(NUMBERS, optional=True, as_files=True),
        during(UNSTITCHED, optional=True, **AROUND),
    ),
    writes=(VISITS, QUARANTINED_VISITS),
    transform=to_visits,
    spec=lambda catalogue: catalogue,
    conserves="device_visits",
)
