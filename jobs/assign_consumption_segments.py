"""month_features, segment_cut_points -> consumption_segments."""

from __future__ import annotations

from visitgrain.runtime.job import Job, month_of
from visitgrain.segments.assignment import assign_segments
from visitgrain.tables.segmentation import CONSUMPTION_SEGMENTS, MONTH_FEATURES, SEGMENT_CUT_POINTS

JOB = Job(
    name="assign_consumption_segments",
    summary="Gives every subscriber in service one of 27 segments of age, ARPU and data use, or a reason.",
    grain="month",
    reads=(month_of(MONTH_FEATURES, as_files=True), month_of(SEGMENT_CUT_POINTS, as_files=True)),
    writes=(CONSUMPTION_SEGMENTS,),
    transform=assign_segments,
    spec=lambda catalogue: catalogue.segment_models["consumption"],
)
