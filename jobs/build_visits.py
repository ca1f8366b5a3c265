"""device_visits -> visits, quarantined_visits."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during, until
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISITS
from visitgrain.visits.history import to_visits

JOB = Job(
    name="build_visits",
    summary="Gives each visit the recency and frequency of its subject and its scores.",
    grain="day",
    reads=(during(DEVICE_VISITS, as_files=True), until(VISITS, optional=True, as_files=True)),
    writes=(VISITS, QUARANTINED_VISITS),
    transform=to_visits,
    spec=lambda catalogue: catalogue,
    conserves="device_visits",
)
