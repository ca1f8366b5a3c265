"""month_features -> segment_cut_points."""

from __future__ import annotations

from visitgrain.runtime.job import Job, month_of, until
from visitgrain.segments.cut_points import fit_cut_points
from visitgrain.tables.segmentation import MONTH_FEATURES, SEGMENT_CUT_POINTS

JOB = Job(
    name="fit_cut_points",
    summary="Takes each axis' cut points from the catalogue, from their first fit, or fits them on the month's base.",
    grain="month",
    reads=(month_of(MONTH_FEATURES, as_files=True), until(SEGMENT_CUT_POINTS, optional=True, as_files=True)),
    writes=(SEGMENT_CUT_POINTS,),
    transform=fit_cut_points,
    spec=lambda catalogue: catalogue.segment_models,
)
