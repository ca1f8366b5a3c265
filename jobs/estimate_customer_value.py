"""visit_days, orders, value_models -> customer_value."""

from __future__ import annotations

from visitgrain.runtime.job import Job, deferred, month_of, through
from visitgrain.tables.inputs import ORDERS
from visitgrain.tables.valuing import CUSTOMER_VALUE, VALUE_MODELS
from visitgrain.tables.visiting import VISIT_DAYS

JOB = Job(
    name="estimate_customer_value",
    summary="Estimates visits, orders and money that each subscriber will bring, and the tier of value.",
    grain="month",
    reads=(through(VISIT_DAYS), through(ORDERS, optional=True), month_of(VALUE_MODELS, as_files=True)),
    writes=(CUSTOMER_VALUE,),
    transform=deferred("visitgrain.value.estimating", "estimate_customer_value"),
    spec=lambda catalogue: catalogue.customer_value,
)
