"""Segments of two months -> segment_migrations."""

from __future__ import annotations

from visitgrain.runtime.job import Job, month_of
from visitgrain.segments.migrations import trace_migrations
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS, SEGMENT_MIGRATIONS

JOB = Job(
    name="trace_migrations",
    summary="Counts who moved from which segment to which, joined and left included.",
    grain="month",
    reads=(
        month_of(CONSUMPTION_SEGMENTS, offset=-1, optional=True, name="consumption_before"),
        month_of(BEHAVIOUR_SEGMENTS, offset=-1, optional=True, name="behaviour_before"),
        month_of(CONSUMPTION_SEGMENTS),
        month_of(BEHAVIOUR_SEGMENTS),
    ),
    writes=(SEGMENT_MIGRATIONS,),
    transform=trace_migrations,
)
