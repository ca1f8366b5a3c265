"""Month features, the 27 + 27 segments and what describes them."""

from __future__ import annotations

from visitgrain.tables.model import Column, Identity, Kind, Table, col, key

MODELS = ("consumption", "behaviour")

MONTH_FEATURES = Table(
    name="month_features",
    kind=Kind.OUTPUT,
    grain="one row per subscriber and month with a visit or a snapshot",
    description="Recency, frequency and value of a month's visits, joined with age, ARPU and DOU of its snapshot.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month"),
        key("visits", "int", "visits that start in the month"),
        key("active_days", "int", "days with an active event, visits over midnight split"),
        col("recency_days", "double", "last visit of the month to the month's end", unit="days"),
        col("mean_gap_days", "double", "mean of the visits' gaps to their former visits", unit="days"),
        col("mean_interval_days", "double", "mean interval, the open one at month end included", unit="days"),
        col("mean_visits_30d", "double", "mean running frequency of the visits"),
        key("score", "map<string,double>", "behaviour score of the month per purpose: sum over visits"),
        col("score_per_visit", "double", "general score per visit"),
        key("duration_s", "bigint", "time in visits", unit="s"),
        key("events", "int", "events in visits"),
        key("page_views", "int", "page and product views"),
        key("actions", "int", "deliberate actions"),
        key("orders", "int", "paid orders in visits"),
        key("topups", "int", "top-ups in visits"),
        key("paid_fen", "bigint", "money paid in visits", unit="fen"),
        key("business_events", "map<string,int>", "events per business line"),
        key("channel_visits", "map<string,int>", "visits per channel"),
        col("age", "int", "age at month end", unit="years"),
        col("arpu_fen", "bigint", "revenue of the month", unit="fen"),
        col("dou_mb", "double", "data used", unit="MB"),
        col("plan_id", "string", "plan at month end"),
        col("plan_fee_fen", "bigint", "fee of the plan", unit="fen"),
        key("in_service", "boolean", "snapshot says active, arrears_stop or suspended"),
        key("has_snapshot", "boolean", "a CRM snapshot of the month exists"),
        key("plan_downgraded", "boolean", "the plan fee is lower than in the month before"),
        key("ordered_businesses", "array<string>", "business lines with a completed order of any channel, sorted"),
    ),
    key=("subscriber_id", "month"),
    partition="month",
)

SEGMENT_CUT_POINTS = Table(
    name="segment_cut_points",
    kind=Kind.OUTPUT,
    grain="one row per segment model, version, axis and month of use",
    description="Cut points of a month: 1 is below low, 2 from low on, 3 from high on; reversed where small is good.",
    columns=(
        key("month", "date", "month they were used for"),
        key("model", "string", "consumption or behaviour", values=MODELS),
        key("version", "string", "version of the model in the catalogue"),
        key("axis", "string", "age, arpu, dou, recency, frequency, value"),
        col("low", "double", "level 2 begins here; null = no value was seen"),
        col("high", "double", "level 3 begins here; null = no value that high was seen"),
        key("method", "string", "how they came about", values=("fixed", "terciles")),
        col("fitted_on", "date", "month whose base they were fitted on; null when fixed"),
        key("subscribers", "bigint", "size of the base they were fitted on; 0 when fixed"),
    ),
    key=("month", "model", "axis"),
    partition="month",
)


def _levels(*axes: str) -> tuple[Column, ...]:
    return tuple(col(f"{axis}_level", "int", f"{axis} level, 1 low to 3 high") for axis in axes)


CONSUMPTION_SEGMENTS = Table(
    name="consumption_segments",
    kind=Kind.OUTPUT,
    grain="one row per subscriber of the base and month",
    description="Consumption segment 1-27: age x ARPU x DOU. The base is every subscriber in service.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month"),
        col("age", "double", "input of the age axis", unit="years"),
        col("arpu", "double", "input of the ARPU axis", unit="fen"),
        col("dou", "double", "input of the DOU axis", unit="MB"),
        *_levels("age", "arpu", "dou"),
        col("segment", "int", "9 (age - 1) + 3 (arpu - 1) + dou; null = unassigned"),
        col("reason", "string", "why unassigned, e.g. unknown age"),
        key("version", "string", "version of the segment model"),
    ),
    key=("subscriber_id", "month"),
    partition="month",
)

BEHAVIOUR_SEGMENTS = Table(
    name="behaviour_segments",
    kind=Kind.OUTPUT,
    grain="one row per subscriber of the base and month",
    description="Behaviour segment 1-27: recency x frequency x value of visits. The base is all with a visit.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month"),
        col("recency", "double", "input of the recency axis", unit="days"),
        col("frequency", "double", "input of the frequency axis", unit="visits"),
        col("value", "double", "input of the value axis: score of the model's purpose"),
        *_levels("recency", "frequency", "value"),
        col("segment", "int", "9 (recency - 1) + 3 (frequency - 1) + value; null = unassigned"),
        col("reason", "string", "why unassigned"),
        key("scores", "map<string,double>", "score of the month per purpose"),
        key("version", "string", "version of the segment model"),
    ),
    key=("subscriber_id", "month"),
    partition="month",
)

SEGMENT_PROFILES = Table(
    name="segment_profiles",
    kind=Kind.OUTPUT,
    grain="one row per model, segment (27 and unassigned), feature and month",
    description="Profile of each of the 54 segments: features, plan mix, downgrades, penetration of businesses.",
    columns=(
        key("month", "date", "first day of the month"),
        key("model", "string", "consumption or behaviour", values=MODELS),
        key("segment", "int", "1-27; 0 = unassigned"),
        key("segment_name", "string", "levels of its axes, e.g. R3F2V1"),
        key("feature", "string", "what is described, e.g. mean_arpu_fen, plan_share, business_penetration"),
        key("item", "string", "plan or business the feature is about; 'all' where it has none"),
        col("value", "double", "the number; null where nobody has the feature"),
        key("subscribers", "bigint", "subscribers of the segment"),
    ),
    key=("month", "model", "segment", "feature", "item"),
    partition="month",
)

SEGMENT_MIGRATIONS = Table(
    name="segment_migrations",
    kind=Kind.OUTPUT,
    grain="one row per model, month, segment before and segment now",
    description="Month-to-month matrix, joined and left too. Rows sum to last month's base, columns to this month's.",
    columns=(
        key("month", "date", "the later month"),
        key("model", "string", "consumption or behaviour", values=MODELS),
        key("segment_before", "int", "1-27; 0 = unassigned; -1 = not in the base (joined)"),
        key("segment_now", "int", "1-27; 0 = unassigned; -1 = not in the base (left)"),
        key("subscribers", "bigint", "how many moved so"),
        col("share_of_before", "double", "of the row's base", unit="share 0-1"),
    ),
    key=("month", "model", "segment_before", "segment_now"),
    partition="month",
)

TIME_PREFERENCES = Table(
    name="time_preferences",
    kind=Kind.OUTPUT,
    grain="one row per owner (subscriber or segment), weekday and hour with a visit",
    description="When a subscriber or a segment visits: weekday x hour of visit starts, local time.",
    columns=(
        key("month", "date", "first day of the month"),
        key("owner_type", "string", "whose preference", values=("subscriber", *MODELS)),
        key(
            "owner_id",
            "bigint",
            "subscriber_id or segment (0 = unassigned)",
            identity=Identity.SUBSCRIBER,
            identity_where=("owner_type", "subscriber"),
        ),
        key("weekday", "int", "1 = Monday"),
        key("hour", "int", "0-23"),
        key("visits", "bigint", "visits that start then"),
        key("share", "double", "of the owner's visits", unit="share 0-1"),
    ),
    key=("month", "owner_type", "owner_id", "weekday", "hour"),
    partition="month",
)

SCORE_CARD_REPORTS = Table(
    name="score_card_reports",
    kind=Kind.OUTPUT,
    grain="one row per month, purpose and target, and per behaviour of the card",
    description="How well each score card predicts next month's activity and orders, and weights from a ridge fit.",
    columns=(
        key("month", "date", "month of the target; the scores are of the month before"),
        key("purpose", "string", "score card"),
        key("version", "string", "version of the card"),
        key("target", "string", "what is predicted", values=("active_next_month", "orders_next_month")),
        key("behaviour", "string", "behaviour of the card; 'card' = the card as a whole"),
        col("auc", "double", "area under the ROC curve; null when only one class exists"),
        col("correlation", "double", "point-biserial correlation with the target"),
        col("weight", "double", "weight in the card; null for the card as a whole"),
        col("proposed_weight", "double", "weight a ridge regression proposes, scaled to the card; null for the card"),
        key("subscribers", "bigint", "subscribers scored"),
        key("positives", "bigint", "of them with the target"),
    ),
    key=("month", "purpose", "target", "behaviour"),
    partition="month",
)
