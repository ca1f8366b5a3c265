"""Audiences, deliveries, visits and orders -> campaign_results."""

from __future__ import annotations

from visitgrain.measures.campaigns import Judged, evaluate_campaigns
from visitgrain.runtime.job import Job, during
from visitgrain.tables.inputs import CAMPAIGN_AUDIENCES, CAMPAIGN_EXPOSURES, ORDERS
from visitgrain.tables.measuring import CAMPAIGN_RESULTS
from visitgrain.tables.visiting import VISITS

LONGEST = 31  # campaign_days may be as many

JOB = Job(
    name="evaluate_campaigns",
    summary="Judges members of campaigns, control arm included, when their days are over.",
    grain="day",
    reads=(
        during(CAMPAIGN_AUDIENCES, before=LONGEST, optional=True),
        during(CAMPAIGN_EXPOSURES, before=LONGEST, optional=True),
        during(VISITS, before=LONGEST),
        during(ORDERS, before=LONGEST, optional=True),
    ),
    writes=(CAMPAIGN_RESULTS,),
    transform=evaluate_campaigns,
    spec=Judged.of,
)
