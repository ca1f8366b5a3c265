"""Days, slices, states, snapshots and segments -> population_metrics of every day."""

from __future__ import annotations

from jobs.compute_subscriber_metrics import reads
from visitgrain.metrics.invariants import broken_laws
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.populations import compute_population_metrics
from visitgrain.runtime.job import Job, during
from visitgrain.tables.measuring import DAILY, POPULATION_METRICS, SUBSCRIBER_SLICE_DAYS

TWO_MONTHS = 60  # days before: two windows of 30
SNAPSHOT_MONTHS = 6

JOB = Job(
    name="compute_population_metrics",
    summary="Computes every metric for everybody and every slice, for the windows that end on the day.",
    grain="day",
    reads=(*reads(TWO_MONTHS, SNAPSHOT_MONTHS), during(SUBSCRIBER_SLICE_DAYS, before=TWO_MONTHS, as_files=True)),
    writes=(POPULATION_METRICS,),
    part=DAILY,
    transform=compute_population_metrics,
    spec=Plans.daily,
    laws=broken_laws,
)
