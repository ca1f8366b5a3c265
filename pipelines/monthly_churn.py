"""What runs after `monthly`: habits at the end of the month, and who of the month before went silent."""

from __future__ import annotations

from jobs import build_churn_features, collect_activity_days, label_silence
from visitgrain.runtime.job import Pipeline

PIPELINE = Pipeline(
    name="monthly_churn",
    summary="Events and visits of the month -> habits at its end, and who went silent in it.",
    grain="month",
    jobs=(collect_activity_days.JOB, build_churn_features.JOB, label_silence.JOB),
)
