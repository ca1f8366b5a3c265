"""What runs after `monthly`: measures of the month's days, states, and metrics of subscribers and populations."""

from __future__ import annotations

from jobs import (
    compute_monthly_population_metrics,
    compute_subscriber_metrics,
    evaluate_campaigns,
    measure_days,
    measure_slice_days,
    roll_states,
)
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="monthly_metrics",
    summary="Visits, events, orders and segments of the month -> measures -> states -> metrics.",
    grain="month",
    jobs=(
        evaluate_campaigns.JOB,
        measure_days.JOB,
        measure_slice_days.JOB,
        roll_states.JOB,
        compute_subscriber_metrics.JOB,
        compute_monthly_population_metrics.JOB,
    ),
)
