"""What is run when new models are due: silence of the next month, when it begins, and who comes back."""

from __future__ import annotations

from jobs import train_churn, train_hazards, train_return
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="churn_training",
    summary="Habits, labels and active days up to the month's end -> models in MLflow, the best of each registered.",
    grain="month",
    jobs=(train_churn.JOB, train_hazards.JOB, train_return.JOB),
)
