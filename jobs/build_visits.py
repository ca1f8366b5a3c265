"""device_visits -> visits, quarantined_visits."""

from __future__ import annotations

from datetime import timedelta

from visitgrain.runtime.job import Job, Read, during
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISITS
from visitgrain.visits.history import to_visits

JOB = Job(
    name="build_visits",
    summary="Gives each visit the recency and frequency of its subject and its scores.",
    grain="day",
    reads=(
        during(DEVICE_VISITS, before=1, as_files=True),
        Read(VISITS, lambda span: (None, span.start - timedelta(days=2)), optional=True, as_files=True),
    ),
    writes=(VISITS, QUARANTINED_VISITS),
    transform=to_visits,
    spec=lambda catalogue: catalogue,
    conserves="device_visits",
    rewrites_before=1,
)
