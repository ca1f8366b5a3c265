"""Habits of subscribers at the end of a month, and who went silent after it."""

from __future__ import annotations

from visitgrain.tables.model import Column, Kind, Table, col, key
from visitgrain.tables.vocabulary import CHANNELS

WITHIN = (7, 14, 30, 60, 90, 180)  # days up to the cut-off
MONTHS_BACK = 6

ACTIVITY_DAYS = Table(
    name="activity_days",
    kind=Kind.OUTPUT,
    grain="one row per subscriber, channel and local day with an active event",
    description="What a subscriber's habits are read from: how much, when, and which pages.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("day", "date", "local day"),
        key("channel", "string", "where it happened", values=CHANNELS),
        key("events", "bigint", "active events"),
        key("visits", "bigint", "visits that start on the day"),
        key("night_events", "bigint", "active events from 23:00 to 06:00"),
        key("first_time", "timestamp", "first active event"),
        key("last_time", "timestamp", "last active event"),
        key("pages", "array<bigint>", "hashes of the distinct pages, sorted"),
        key("sections", "array<bigint>", "hashes of the distinct first parts of page names (a/b/c -> a), sorted"),
        key("touchpoints", "array<string>", "slots that were clicked, sorted"),
    ),
    key=("subscriber_id", "day", "channel"),
    partition="day",
)


def _within(prefix: str, text: str) -> tuple[Column, ...]:
    return tuple(col(f"{prefix}_{days}", "double", f"{text}, last {days} days") for days in WITHIN)


# Source: docs/adr/0015. Age of a day is counted to the cut-off, which is the first instant of the next month.
HABITS: tuple[Column, ...] = (
    col("recency", "double", "last active event to the cut-off", unit="days"),
    col("tenure", "double", "first active event ever to the cut-off", unit="days"),
    col("n_all", "double", "active events ever"),
    *_within("ev", "active events"),
    *_within("ses", "visits started"),
    *_within("day", "active days"),
    *_within("section", "distinct sections"),
    *_within("page", "distinct pages"),
    *(col(f"mday_{n}", "double", f"active days in the {n}. calendar month before the cut-off") for n in range(1, 7)),
    col("gap_mean", "double", "gaps between consecutive active days: mean", unit="days"),
    col("gap_med", "double", "their median", unit="days"),
    col("gap_max", "double", "the longest", unit="days"),
    col("gap_last", "double", "the last", unit="days"),
    col("wkend", "double", "share of the last 90 days' events on Saturdays and Sundays"),
    col("night", "double", "share of the last 90 days' events from 23:00 to 06:00"),
    col("trend30_90", "double", "ev_30 / (ev_90 / 3 + 1)"),
    col("trend7_30", "double", "ev_7 / (ev_30 * 7 / 30 + 1)"),
    col("rec_over_gap", "double", "recency / (gap_mean + 1), tenure where there is no gap: overdue against own habit"),
    col("nact6", "double", "months of the last six with an active day"),
    col("moy", "double", "month of the year of the cut-off"),
)
ELSEWHERE: tuple[Column, ...] = (
    col("other_day_30", "double", "active days on channels that are not the label's, last 30 days"),
    col("other_day_90", "double", "the same, last 90 days"),
    col("any_recency", "double", "last active event on any channel to the cut-off", unit="days"),
    col("any_rate", "double", "visits on any channel per day since the first active event on any"),
    col("any_missed", "double", "visits to expect since the last active event: any_recency × any_rate"),
)
CONTRACT: tuple[Column, ...] = (
    col("age", "double", "age at the month's end", unit="years"),
    col("network_months", "double", "activation to the cut-off", unit="months"),
    col("arpu_yuan", "double", "revenue of the month", unit="yuan"),
    col("arpu_change", "double", "revenue against the month before: x / (x before + 1) in yuan"),
    col("dou_mb", "double", "data used in the month", unit="MB"),
    col("mou_min", "double", "voice minutes of the month", unit="minutes"),
    col("plan_fee_yuan", "double", "monthly fee of the plan", unit="yuan"),
    col("quota_used", "double", "share of the plan's data that was used"),
    col("balance_yuan", "double", "balance at month end", unit="yuan"),
    col("contract_days", "double", "days of the commitment left; below 0 where it is over", unit="days"),
    col("broadband_days", "double", "days of the broadband contract left", unit="days"),
    col("sticky_services", "double", "services that tie the customer"),
    col("social_circle_size", "double", "contacts in the month"),
    col("star_level", "double", "loyalty level"),
    *(col(f"{n}_level", "double", f"level of the {n} axis, 1 to 3") for n in ("recency", "frequency", "value")),
)
SLICED_BY: tuple[Column, ...] = (
    col("main_channel", "string", "channel with most active days of the last 90"),
    col("tenure_band", "string", "since the first active event: under 90 days, 90-364, 365+"),
    col("main_touchpoint", "string", "slot clicked on most days of the last 90"),
    col("main_hours", "string", "hours with most visits of the month: 0-5, 6-11, 12-17, 18-23"),
    col("area", "string", "area in the snapshot"),
    col("plan", "string", "plan in the snapshot"),
    col("consumption_segment", "string", "27 segments; null = unassigned"),
    col("behaviour_segment", "string", "27 segments; null = unassigned"),
)
FEATURES = tuple(column.name for column in (*HABITS, *ELSEWHERE, *CONTRACT))

CHURN_FEATURES = Table(
    name="churn_features",
    kind=Kind.OUTPUT,
    grain="one row per month and subscriber with an active day on the label channel within its last 180 days",
    description="What is known of a subscriber at the cut-off, the end of the month; nothing of later days enters.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month; the cut-off is its end"),
        key("active", "boolean", "had an active day in the month: may go silent; else silent already: may come back"),
        key("gone", "boolean", "already cancelled or ported out at the cut-off: neither trained on nor scored"),
        key("known_through", "timestamp", "last event that the row rests on; always before the cut-off"),
        *HABITS,
        *ELSEWHERE,
        *CONTRACT,
        *SLICED_BY,
    ),
    key=("subscriber_id", "month"),
    partition="month",
)

CHURN_MODELS = Table(
    name="churn_models",
    kind=Kind.OUTPUT,
    grain="one row per training month and learner",
    description="How each learner did on months that it had not seen. MLflow has the rest, under run_id.",
    columns=(
        key("month", "date", "first day of the last month with labels"),
        key("learner", "string", "recency, rfv_logistic, logistic, lightgbm, xgboost_spark, gbt_spark"),
        key("run_id", "string", "MLflow run"),
        col("version", "int", "version in the registry; only the best learner gets one"),
        col("promoted", "boolean", "became champion; null = was not put forward"),
        col("verdict", "string", "what the gate said, in words"),
        key("calibration", "string", "none, platt or isotonic"),
        key("feature_hash", "string", "of the features and their definitions"),
        key("train_rows", "bigint", "rows it learnt from"),
        key("test_rows", "bigint", "rows it was tested on"),
        *(
            col(name, "double", text)
            for name, text in {
                "auc": "area under the ROC curve",
                "auc_low": "lower end of its 95 % interval over subscribers",
                "auc_high": "upper end",
                "pr_auc": "average precision",
                "lift_at_10": "lift of the highest tenth of scores",
                "capture_at_10": "share of the silent in it",
                "log_loss": "mean negative log-likelihood",
                "brier": "mean squared error",
                "ece": "expected calibration error, ten bins of equal size",
                "empc_fen": "expected profit of the best campaign, per subscriber",
            }.items()
        ),
        key("choosing_log_loss", "double", "log-loss on the choosing months: the least one is put forward"),
        key("training_seconds", "double", "time that training took", unit="s"),
    ),
    key=("month", "learner"),
    partition="month",
)

TIERS = ("low", "mid", "high")

RETURN_TEXTS = {
    "probability": "calibrated probability of an active day on the label channel in the next month, unaided",
    "tier": "tier of the chance by the model's cut points",
    "rank": "1 = most likely to come back; equals, to a millionth, share a rank",
    "reasons": "what speaks most for coming back, in words: at most five",
}

CHURN_SCORES = Table(
    name="churn_scores",
    kind=Kind.OUTPUT,
    grain="one row per subscriber and month in which the subscriber was active on the label channel",
    description="Risk of silence in the next month. Written before that month has any label.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month; the cut-off is its end"),
        key("probability", "double", "calibrated probability of no active day on the label channel in the next month"),
        key("raw_score", "double", "before calibration"),
        key("tier", "string", "risk tier by the model's cut points", values=TIERS),
        key("rank", "bigint", "1 = highest risk of the month; equals, to a millionth, share a rank"),
        key("reasons", "array<string>", "what adds most to the risk, the strongest first, in words: at most five"),
        key("reasons_zh", "array<string>", "the same in Chinese"),
        key("reason_features", "array<string>", "the features they tell of"),
        key("model_version", "int", "version in the registry"),
        key("feature_hash", "string", "of the features and their definitions"),
        key("run_id", "string", "run that scored", provenance=True),
    ),
    key=("subscriber_id", "month"),
    partition="month",
)

RETURN_MODELS = CHURN_MODELS.model_copy(
    update={
        "name": "return_models",
        "description": "How each learner of coming back unaided did on months that it had not seen.",
    }
)
RETURN_SCORES = Table(
    name="return_scores",
    kind=Kind.OUTPUT,
    grain="one row per subscriber who is silent on the label channel for up to 180 days at the end of the month",
    description="Chance of coming back without a campaign: whom to win back first is who would not, and is worth it.",
    columns=tuple(
        column.model_copy(update={"description": RETURN_TEXTS.get(column.name, column.description)})
        for column in CHURN_SCORES.columns
    ),
    key=("subscriber_id", "month"),
    partition="month",
)

CHURN_PORTRAITS = Table(
    name="churn_portraits",
    kind=Kind.OUTPUT,
    grain="one row per month, group and feature (or value of an attribute)",
    description="How tiers of risk, and those who went silent, differ from who stays: ranked, in words.",
    columns=(
        key(
            "month", "date", "of the scores; of the label for the group silent, whose features are of the month before"
        ),
        key("group", "string", "who is compared", values=(*TIERS, "silent")),
        key("feature", "string", "feature, or attribute=value"),
        key("rank", "int", "1 = differs most; within month and group"),
        key("subscribers", "bigint", "of the group, with a value"),
        key("others", "bigint", "of those compared with, with a value: all other tiers, or those who stayed"),
        col("mean", "double", "mean of the group; of an attribute the share with the value"),
        col("mean_others", "double", "the same of the others"),
        key("effect", "double", "difference of the means in pooled standard deviations (Cohen's d)"),
        key("effect_low", "double", "lower end of its 95 % interval"),
        key("effect_high", "double", "upper end"),
        key("p_adjusted", "double", "of no difference, adjusted for the number of features (Benjamini-Hochberg)"),
        col("effect_before", "double", "effect of the month before; null = not compared then"),
        key("text", "string", "in words"),
        key("text_zh", "string", "in Chinese"),
    ),
    key=("month", "group", "feature"),
    partition="month",
)

CHURN_MONITORING = Table(
    name="churn_monitoring",
    kind=Kind.OUTPUT,
    grain="one row per month, check and subject",
    description="Whether inputs and scores look as in training, and how past scores came true.",
    columns=(
        key("month", "date", "month whose scores were looked at; of realised checks the month of the labels"),
        key("check", "string", "psi, nulls, auc, lift_at_10, capture_at_10, ece, base_rate, mean_score, model_age"),
        key("subject", "string", "feature, or score"),
        col("value", "double", "what was found; null = cannot be told"),
        col("reference", "double", "what it was in training, or on the test months"),
        col("limit", "double", "beyond it the status is no longer ok"),
        key("status", "string", "ok, alert or block", values=("ok", "alert", "block")),
        key("model_version", "int", "of the scores"),
        key("retrain", "boolean", "by the retraining rule a new model is due"),
    ),
    key=("month", "check", "subject"),
    partition="month",
)

CHURN_LABELS = Table(
    name="churn_labels",
    kind=Kind.OUTPUT,
    grain="one row per subscriber of the month before's churn_features",
    description="Whether who was active in the month before was silent in this one.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month of silence: the one after the features' month"),
        key("silent", "boolean", "no active day on the label channel in the month"),
        key("active", "boolean", "was active in the month before: silent is newly silent; else not silent is a return"),
        key(
            "departed",
            "boolean",
            "cancelled or ported out by the end of the month: no campaign in the app reaches them",
        ),
        key("gone", "boolean", "was so already at the cut-off"),
    ),
    key=("subscriber_id", "month"),
    partition="month",
)
