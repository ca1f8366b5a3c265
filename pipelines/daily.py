"""What runs every day: the day's events become visits."""

from __future__ import annotations

from jobs import build_visits, cut_visits, split_open_visit_days, split_visit_days, stitch_visits
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="daily",
    summary="Events of the day -> visits.",
    grain="day",
    jobs=(cut_visits.JOB, build_visits.JOB, stitch_visits.JOB, split_visit_days.JOB, split_open_visit_days.JOB),
)
