"""visits -> visit_days: those that a login elsewhere may claim."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during
from visitgrain.tables.visiting import OPEN, VISIT_DAYS, VISITS
from visitgrain.visits.history import to_visit_days

JOB = Job(
    name="split_open_visit_days",
    summary="Splits visits that a login may claim over midnight, for daily actives.",
    grain="day",
    reads=(during(VISITS, as_files=True, part=OPEN),),
    writes=(VISIT_DAYS,),
    part=OPEN,
    transform=to_visit_days,
)
