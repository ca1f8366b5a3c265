"""What runs after `monthly_churn`, once a model of hazards is champion: who is about to go silent."""

from __future__ import annotations

from jobs import estimate_hazards
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="churn_warning",
    summary="Habits at the month's end -> weekly hazards of silence, and who fell far below the own habit.",
    grain="month",
    jobs=(estimate_hazards.JOB,),
)
