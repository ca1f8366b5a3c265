"""What a subscriber is worth: the purchase models of a month and what they expect of each subscriber."""

from __future__ import annotations

from visitgrain.tables.model import Kind, Table, col, key

MODEL_KINDS = ("visits", "orders", "order_value")
TIERS = ("low", "mid", "high")

VALUE_MODELS = Table(
    name="value_models",
    kind=Kind.OUTPUT,
    grain="one row per month and model that somebody has a history for",
    description="Parameters of BG/NBD (visits, orders) and Gamma-Gamma (order_value); null = could not be fitted.",
    columns=(
        key("month", "date", "histories up to the end of this month"),
        key("kind", "string", "active days, order days, or money of an order day", values=MODEL_KINDS),
        col("r", "double", "BG/NBD: shape of the rate"),
        col("alpha", "double", "BG/NBD: inverse scale of the rate", unit="weeks"),
        col("a", "double", "BG/NBD: first parameter of the chance to leave"),
        col("b", "double", "BG/NBD: second parameter of the chance to leave"),
        col("p", "double", "Gamma-Gamma: shape of the money of an order day"),
        col("q", "double", "Gamma-Gamma: shape of its inverse scale over subscribers"),
        col("v", "double", "Gamma-Gamma: scale of that", unit="fen"),
        col("log_likelihood", "double", "natural log, sum over subscribers"),
        key("customers", "bigint", "subscribers it was fitted on"),
        key("definition_hash", "string", "of conf/catalogue/customer_value.yaml"),
    ),
    key=("month", "kind"),
    partition="month",
)


CUSTOMER_VALUE = Table(
    name="customer_value",
    kind=Kind.OUTPUT,
    grain="one row per subscriber with an active day or an order day up to the end of the month",
    description="History, chance to be still there, and expected visits, orders and money of the next horizon_days.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month at whose end it holds"),
        col("visit_repeats", "int", "x: active days after the first; null = none"),
        col("visit_lifetime_days", "int", "t_x: first to last active day", unit="days"),
        col("visit_age_days", "int", "T: first active day to month end", unit="days"),
        col("order_repeats", "int", "x: order days after the first; null = none"),
        col("order_lifetime_days", "int", "t_x: first to last order day", unit="days"),
        col("order_age_days", "int", "T: first order day to month end", unit="days"),
        col("mean_order_fen", "double", "money of an order day, returns subtracted", unit="fen"),
        col("p_alive_visits", "double", "still a visitor; 1 without a repeat: no ranking", unit="share 0-1"),
        col("p_alive_orders", "double", "still a buyer; 1 without a repeat: no ranking", unit="share 0-1"),
        col("expected_visit_days", "double", "active days in the horizon", unit="days"),
        col("expected_orders", "double", "order days in the horizon; null = never ordered", unit="days"),
        col("expected_order_fen", "double", "money of a future order day", unit="fen"),
        col("expected_value_fen", "double", "expected_orders * expected_order_fen", unit="fen"),
        col("value_tier", "string", "of expected_value_fen; null = unknown", values=TIERS),
        key("horizon_days", "int", "how far it looks ahead", unit="days"),
        key("definition_hash", "string", "of conf/catalogue/customer_value.yaml"),
    ),
    key=("subscriber_id", "month"),
    partition="month",
)

CUSTOMER_PRIORITIES = Table(
    name="customer_priorities",
    kind=Kind.OUTPUT,
    grain="one row per subscriber of the month's churn_scores",
    description="Whom to keep first: what silence is expected to cost; cells of value x risk and value x stability.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("month", "date", "first day of the month of the scores"),
        key("probability", "double", "of silence in the next month"),
        key("risk_tier", "string", "tier of the probability", values=TIERS),
        col("expected_value_fen", "double", "of the next horizon_days; null = never ordered", unit="fen"),
        col("value_tier", "string", "of it", values=TIERS),
        col("at_risk_fen", "double", "probability * expected_value_fen: the priority", unit="fen"),
        col("rank", "bigint", "1 = most money at risk in the month; equals, to a fen, share it; null = value unknown"),
        key("cell", "string", "value x risk", values=("rescue", "keep", "remind", "leave", "unknown")),
        key("stability", "string", "active months of the last six: 6 high, 3-5 mid, fewer low", values=TIERS),
        key("value_and_stability", "string", "cell of value x stability in thirds, or unknown"),
    ),
    key=("subscriber_id", "month"),
    partition="month",
)
