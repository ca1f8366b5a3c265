"""device_visits -> visits, quarantined_visits: those that name their subscriber."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during, until, whole
from visitgrain.tables.inputs import NUMBERS
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, SETTLED, VISITS
from visitgrain.visits.history import to_settled_visits
from visitgrain.visits.starts import OF_SETTLED

SUBSCRIBER = "subscriber_id"

JOB = Job(
    name="build_visits",
    summary="Gives each visit that names its subscriber recency, frequency and scores.",
    grain="day",
    reads=(
        during(DEVICE_VISITS, as_files=True, part=SETTLED, by=SUBSCRIBER),
        until(VISITS, optional=True, as_files=True, part=SETTLED, by=SUBSCRIBER, columns=OF_SETTLED),
        whole(NUMBERS, optional=True, as_files=True),
    ),
    writes=(VISITS, QUARANTINED_VISITS),
    part=SETTLED,
    transform=to_settled_visits,
    spec=lambda catalogue: catalogue,
    conserves="device_visits",
    local=lambda _, has: None if has(NUMBERS) else SUBSCRIBER,  # where there are numbers, some of them are renamed
)
