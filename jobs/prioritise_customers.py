"""churn_scores and customer_value -> customer_priorities."""

from __future__ import annotations

from visitgrain.runtime.job import Job, Read, months_in
from visitgrain.tables.churning import CHURN_FEATURES, CHURN_SCORES
from visitgrain.tables.valuing import CUSTOMER_PRIORITIES, CUSTOMER_VALUE
from visitgrain.value.prioritising import prioritise

JOB = Job(
    name="prioritise_customers",
    summary="Ranks everybody at risk by what silence would cost: risk times expected value.",
    grain="month",
    reads=(
        Read(CHURN_SCORES, months_in),
        Read(CHURN_FEATURES, months_in),
        Read(CUSTOMER_VALUE, months_in, optional=True),
    ),
    writes=(CUSTOMER_PRIORITIES,),
    transform=prioritise,
    conserves="churn_scores",
)
