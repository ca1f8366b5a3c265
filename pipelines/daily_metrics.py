"""What runs after `daily`: the day's measures, and metrics of populations for the windows that end on it."""

from __future__ import annotations

from jobs import compute_population_metrics, evaluate_campaigns, measure_days, measure_slice_days, roll_states
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="daily_metrics",
    summary="Visits, events and orders of the day -> measures -> metrics of populations.",
    grain="day",
    jobs=(
        evaluate_campaigns.JOB,
        measure_days.JOB,
        measure_slice_days.JOB,
        roll_states.JOB,  # of the month so far: on the first of the next one it is there
        compute_population_metrics.JOB,
    ),
)
