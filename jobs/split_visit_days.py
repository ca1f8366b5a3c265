"""visits -> visit_days: those that name their subscriber."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during
from visitgrain.tables.visiting import SETTLED, VISIT_DAYS, VISITS
from visitgrain.visits.history import to_visit_days

JOB = Job(
    name="split_visit_days",
    summary="Splits visits that name their subscriber over midnight, for daily actives.",
    grain="day",
    reads=(during(VISITS, as_files=True, part=SETTLED),),
    writes=(VISIT_DAYS,),
    part=SETTLED,
    transform=to_visit_days,
)
