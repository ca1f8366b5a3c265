"""visits -> visit_days: those that a login elsewhere may claim."""

from __future__ import annotations

from dataclasses import replace

from jobs import split_visit_days
from visitgrain.runtime.job import during
from visitgrain.tables.visiting import OPEN, VISITS

JOB = replace(
    split_visit_days.JOB,
    name="split_open_visit_days",
    summary="Splits visits that a login may claim over midnight, for daily actives.",
    reads=(during(VISITS, as_files=True, part=OPEN),),
    part=OPEN,
)
