"""month_features and both segment tables -> segment_profiles."""

from __future__ import annotations

from visitgrain.runtime.job import Job, month_of
from visitgrain.segments.profiles import Described, profile_segments
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS, MONTH_FEATURES, SEGMENT_PROFILES

JOB = Job(
    name="profile_segments",
    summary="Describes each of the 54 segments: features, plan mix, downgrades, penetration of each business.",
    grain="month",
    reads=(month_of(MONTH_FEATURES), month_of(CONSUMPTION_SEGMENTS), month_of(BEHAVIOUR_SEGMENTS)),
    writes=(SEGMENT_PROFILES,),
    transform=profile_segments,
    spec=lambda catalogue: Described(catalogue.segment_models, tuple(catalogue.score_cards)),
)
