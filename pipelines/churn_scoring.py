"""What runs after `monthly_churn`, by the model that is champion: scores, priorities, portrait, monitoring."""

from __future__ import annotations

from jobs import monitor_churn, portray_churners, prioritise_customers, score_churn
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="churn_scoring",
    summary="Habits at the end of the month -> risk of silence, how those at risk differ, and how the model does.",
    grain="month",
    jobs=(score_churn.JOB, prioritise_customers.JOB, portray_churners.JOB, monitor_churn.JOB),
)
