"""Whom to keep first: risk of silence times expected value, and the cells of both matrices."""

from __future__ import annotations

from itertools import product

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.expressions.ranks import ranked
from visitgrain.span import Span
from visitgrain.tables.valuing import CUSTOMER_PRIORITIES, TIERS
from visitgrain.value.priority import CARE, UNKNOWN

KEY = ["subscriber_id", "month"]
STABLE = {"high": 6, "mid": 3}  # active months of the last six from which on a subscriber is so stable


def prioritise(
    *,
    churn_scores: DataFrame,
    churn_features: DataFrame,
    customer_value: DataFrame,
    spec: None,
    span: Span,
) -> DataFrame:
    """One row per scored subscriber and month. Without a known value there is no priority, and the cell is unknown."""
    value = customer_value.select(*KEY, "expected_value_fen", "value_tier")
    months = churn_features.select(*KEY, F.col("nact6").alias("_months"))
    scored = churn_scores.select(*KEY, "probability", F.col("tier").alias("risk_tier"))
    found = scored.join(months, KEY, how="left").join(value, KEY, how="left")
    stable = F.when(F.col("_months") >= STABLE["high"], "high").when(F.col("_months") >= STABLE["mid"], "mid")
    told = found.withColumns(
        {
            "at_risk_fen": F.col("probability") * F.col("expected_value_fen"),
            "stability": stable.otherwise("low"),
            "cell": _four_cells(),
        }
    ).withColumn("value_and_stability", _nine_cells())
    rows = ranked(told, F.round("at_risk_fen"), within="month")
    return rows.select(*CUSTOMER_PRIORITIES.column_names)


def _four_cells() -> Column:
    """High is mid and high of either tier."""
    cell = F.lit(UNKNOWN)
    for value, risk in product(TIERS, TIERS):
        halves = tuple("low" if tier == "low" else "high" for tier in (value, risk))
        cell = F.when((F.col("value_tier") == value) & (F.col("risk_tier") == risk), CARE[halves]).otherwise(cell)
    return cell


def _nine_cells() -> Column:
    named = F.concat("value_tier", F.lit(" value, "), "stability", F.lit(" stability"))
    return F.coalesce(named, F.lit(UNKNOWN))
