"""What runs after `monthly_churn`, once their models are champions: who is about to go silent, who comes back."""

from __future__ import annotations

from jobs import estimate_hazards, score_returns
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="churn_warning",
    summary="Habits at the month's end -> weekly hazards of silence, falls below the own habit, and who will return.",
    grain="month",
    jobs=(estimate_hazards.JOB, score_returns.JOB),
)
