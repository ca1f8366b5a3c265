"""device_visits -> visits, quarantined_visits: those that a login elsewhere may claim."""

from __future__ import annotations

from functools import partial

from visitgrain.catalogue.visit_rules import LOOK_AHEAD_DAYS
from visitgrain.runtime.job import Job, during, through, until, whole
from visitgrain.tables.inputs import NUMBERS
from visitgrain.tables.runs import UNSTITCHED
from visitgrain.tables.visiting import DEVICE_VISITS, OPEN, QUARANTINED_VISITS, SETTLED, VISITS
from visitgrain.visits.history import to_open_visits
from visitgrain.visits.starts import DECIDING, OF_OPEN, OF_SETTLED

DEVICE = "device_id"
WINDOW = LOOK_AHEAD_DAYS + 1  # elapsed days touch one local day more; back one more, where a visit began
around = partial(
    during,
    DEVICE_VISITS,
    before=WINDOW + 1,
    after=WINDOW,
    as_files=True,
    by=DEVICE,
    columns=DECIDING,
    final="decided_time",
)

JOB = Job(
    name="stitch_visits",
    summary="Gives each anonymous visit to whom it belongs, with recency, frequency and scores.",
    grain="day",
    reads=(
        during(DEVICE_VISITS, as_files=True, part=OPEN, by=DEVICE),
        around(name="open_around", part=OPEN),
        around(name="settled_around", part=SETTLED),
        until(VISITS, optional=True, as_files=True, part=OPEN, by=DEVICE, columns=OF_OPEN),
        through(
            VISITS,
            name="settled",
            optional=True,
            as_files=True,
            part=SETTLED,
            by="subscriber_id",
            columns=OF_SETTLED,
        ),
        whole(NUMBERS, optional=True, as_files=True),
        during(UNSTITCHED, before=1, after=WINDOW, optional=True, as_files=True, by=DEVICE),
    ),
    writes=(VISITS, QUARANTINED_VISITS),
    part=OPEN,
    transform=to_open_visits,
    spec=lambda catalogue: catalogue,
    local=lambda catalogue, _: None if catalogue.visit_rules.identity.last_wins else DEVICE,
    conserves="device_visits",
)
