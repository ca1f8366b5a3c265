"""visits and both segment tables -> time_preferences."""

from __future__ import annotations

from visitgrain.runtime.job import Job, during, month_of
from visitgrain.segments.time_preferences import find_time_preferences
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS, TIME_PREFERENCES
from visitgrain.tables.visiting import VISITS

JOB = Job(
    name="find_time_preferences",
    summary="Counts visits per weekday and hour for each subscriber and each segment.",
    grain="month",
    reads=(during(VISITS), month_of(CONSUMPTION_SEGMENTS), month_of(BEHAVIOUR_SEGMENTS)),
    writes=(TIME_PREFERENCES,),
    transform=find_time_preferences,
)
