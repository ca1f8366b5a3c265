"""Days, slices, states, snapshots and segments -> population_metrics of every month."""

from __future__ import annotations

from jobs.compute_subscriber_metrics import SNAPSHOT_MONTHS, TWO_QUARTERS, reads
from visitgrain.metrics.invariants import broken_laws
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.populations import compute_monthly_population_metrics
from visitgrain.runtime.job import Job, during
from visitgrain.tables.measuring import MONTHLY, POPULATION_METRICS, SUBSCRIBER_SLICE_DAYS

JOB = Job(
    name="compute_monthly_population_metrics",
    summary="Computes every metric for everybody and every slice, for the windows that end with the month.",
    grain="month",
    reads=(*reads(TWO_QUARTERS, SNAPSHOT_MONTHS), during(SUBSCRIBER_SLICE_DAYS, before=TWO_QUARTERS, as_files=True)),
    writes=(POPULATION_METRICS,),
    part=MONTHLY,
    transform=compute_monthly_population_metrics,
    spec=Plans.monthly,
    laws=broken_laws,
)
