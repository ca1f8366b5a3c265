"""visits -> visit_days."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during
from visitgrain.tables.visiting import VISIT_DAYS, VISITS
from visitgrain.visits.history import to_visit_days

JOB = Job(
    name="split_visit_days",
    summary="Splits visits over midnight, for daily actives.",
    grain="day",
    reads=(during(VISITS, as_files=True),),
    writes=(VISIT_DAYS,),
    transform=to_visit_days,
)
