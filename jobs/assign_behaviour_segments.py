"""month_features, segment_cut_points -> behaviour_segments."""

from __future__ import annotations

from visitgrain.runtime.job import Job, month_of
from visitgrain.segments.assignment import assign_segments
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, MONTH_FEATURES, SEGMENT_CUT_POINTS

JOB = Job(
    name="assign_behaviour_segments",
    summary="Gives every subscriber with a visit one of 27 segments of recency, frequency and value.",
    grain="month",
    reads=(month_of(MONTH_FEATURES, as_files=True), month_of(SEGMENT_CUT_POINTS, as_files=True)),
    writes=(BEHAVIOUR_SEGMENTS,),
    transform=assign_segments,
    spec=lambda catalogue: catalogue.segment_models["behaviour"],
)
