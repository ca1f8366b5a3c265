"""events and visits -> activity_days."""

from __future__ import annotations

from visitgrain.measures.activity import Releases, collect_activity_days
from visitgrain.runtime.job import Job, during, whole
from visitgrain.tables.churning import ACTIVITY_DAYS
from visitgrain.tables.inputs import EVENTS, NUMBERS
from visitgrain.tables.visiting import QUARANTINED_VISITS, VISITS

JOB = Job(
    name="collect_activity_days",
    summary="Collects what each subscriber did on a day and channel: events, visits, pages.",
    grain="day",
    reads=(
        during(EVENTS),
        # An event after midnight may be of a visit that began the day before.
        during(VISITS, before=1, name="visits_around"),
        during(QUARANTINED_VISITS, before=1),
        whole(NUMBERS, optional=True),
    ),
    writes=(ACTIVITY_DAYS,),
    transform=collect_activity_days,
    spec=Releases.of,
)
