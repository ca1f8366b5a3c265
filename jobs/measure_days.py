"""events, visits, orders and campaigns -> subscriber_days, measured_days."""

from __future__ import annotations

from visitgrain.measures.days import Measured, measure_days
from visitgrain.runtime.job import Job, Read, during, months_before, whole
from visitgrain.tables.inputs import CAMPAIGN_EXPOSURES, EVENTS, NUMBERS, ORDERS, PRODUCTS, SUBSCRIBER_MONTH
from visitgrain.tables.measuring import CAMPAIGN_RESULTS, MEASURED_DAYS, SUBSCRIBER_DAYS
from visitgrain.tables.visiting import QUARANTINED_VISITS, VISITS

CANCELLED_WITHIN = 31  # days: a later cancellation is not counted
READS = (
    during(EVENTS),
    during(EVENTS, as_files=True, name="event_files"),  # how many there are
    during(VISITS),
    # An event after midnight may be of a visit that began the day before.
    during(VISITS, before=1, name="visits_around"),
    during(QUARANTINED_VISITS, before=1),
    whole(NUMBERS, optional=True),
    during(ORDERS, before=CANCELLED_WITHIN, optional=True),
    whole(PRODUCTS, optional=True),
    Read(SUBSCRIBER_MONTH, months_before, optional=True),
    during(CAMPAIGN_RESULTS, optional=True),
    during(CAMPAIGN_EXPOSURES, optional=True),
)

JOB = Job(
    name="measure_days",
    summary="Counts what every subscriber did on a day: the mergeable measures of the metric catalogue.",
    grain="day",
    reads=READS,
    writes=(SUBSCRIBER_DAYS, MEASURED_DAYS),
    transform=measure_days,
    spec=Measured.of,
    conserves="visits",
)
