"""visit_days, orders -> value_models."""

from __future__ import annotations

from visitgrain.runtime.job import Job, deferred, through
from visitgrain.tables.inputs import ORDERS
from visitgrain.tables.valuing import VALUE_MODELS
from visitgrain.tables.visiting import VISIT_DAYS

JOB = Job(
    name="fit_customer_value",
    summary="Fits how often subscribers visit and order, whether they still do, and what an order brings.",
    grain="month",
    reads=(through(VISIT_DAYS), through(ORDERS, optional=True)),
    writes=(VALUE_MODELS,),
    transform=deferred("visitgrain.value.fitting", "fit_customer_value"),
    spec=lambda catalogue: catalogue.customer_value,
)
