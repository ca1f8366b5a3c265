"""What runs once a month is closed: visits of the month, month features, the 27 + 27 segments what describes them."""

from __future__ import annotations

from jobs import (
    assign_behaviour_segments,
    assign_consumption_segments,
    build_visits,
    cut_visits,
    find_time_preferences,
    fit_cut_points,
    profile_segments,
    report_score_cards,
    split_open_visit_days,
    split_visit_days,
    stitch_visits,
    summarise_months,
    trace_migrations,
)
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="monthly",
    summary="Events of the month -> visits -> features -> segments.",
    grain="month",
    jobs=(
        cut_visits.JOB,
        build_visits.JOB,
        stitch_visits.JOB,
        split_visit_days.JOB,
        split_open_visit_days.JOB,
        summarise_months.JOB,
        fit_cut_points.JOB,
        assign_consumption_segments.JOB,
        assign_behaviour_segments.JOB,
        profile_segments.JOB,
        trace_migrations.JOB,
        find_time_preferences.JOB,
        report_score_cards.JOB,
    ),
)
