"""subscriber_state: rolled forward from month end to month end."""

from __future__ import annotations

from pyspark.sql import DataFrame, functions as F

from visitgrain.metrics import date_sets
from visitgrain.metrics.inner import ORIGIN
from visitgrain.metrics.states import SETS, merged_states
from visitgrain.span import Span
from visitgrain.tables.measuring import SUBSCRIBER_STATE


def roll_states(*, before: DataFrame, subscriber_days: DataFrame, spec: None, span: Span) -> DataFrame:
    """One row per subscriber of the state before or with a measured day in the month."""
    last = f"unix_date(date'{span.end}')"
    now = f"{date_sets.origin_of(last)} {ORIGIN}"
    states = before.selectExpr("*", now, f"{date_sets.origin_of('unix_date(as_of)')} _from")
    days = subscriber_days.where("subscriber_id is not null")
    since = days.selectExpr("subscriber_id", "day", *SETS, "first_order_business", now)
    rolled = merged_states(states, since, ["subscriber_id"])
    return rolled.withColumn("as_of", F.lit(span.end)).select(*SUBSCRIBER_STATE.column_names)
