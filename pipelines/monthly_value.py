"""What runs after `monthly`: what each subscriber is worth."""

from __future__ import annotations

from jobs import estimate_customer_value, fit_customer_value
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="monthly_value",
    summary="Active days and orders up to the month's end -> purchase models -> value of subscribers.",
    grain="month",
    jobs=(fit_customer_value.JOB, estimate_customer_value.JOB),
)
