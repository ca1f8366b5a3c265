"""A subscriber's active days and order days up to a month's end in one row."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.customer_value import CustomerValue
from visitgrain.catalogue.measures import SETS

NUMBERS = ("repeats", "lifetime_days", "age_days")  # x, t_x and T of the models


def histories(visit_days: DataFrame, orders: DataFrame, settings: CustomerValue, end: date) -> DataFrame:
    """One row per subscriber with an active day or an order day: `visit_…` and `order_…` NUMBERS, `mean_order_fen`.

    The columns of a kind are null where the subscriber has no such day. A return (amount below 0) is no purchase, but
    is subtracted from the money of the others; an order without an amount brings 0.
    """
    known = F.col("subscriber_id").isNotNull()
    of_channels = F.col("channel").isin(*settings.channels)
    active = visit_days.where(known & of_channels & (F.col("active_events") > 0) & (F.col("day") <= F.lit(end)))
    visits = active.select("subscriber_id", "day").distinct().groupBy("subscriber_id")
    visit_rows = visits.agg(*_numbers("visit", F.col("day"), end))

    sold = F.col("status").isin(*SETS["COMPLETED"])
    counts = ~F.coalesce(F.col("business").isin(*settings.businesses_left_out), F.lit(False))
    amount = F.coalesce("amount_fen", F.lit(0))
    by_day = (
        orders.where(known & sold & counts & (F.col("order_date") <= F.lit(end)))
        .groupBy("subscriber_id", "order_date")
        .agg(F.sum(amount).alias("fen"), F.bool_or(amount >= 0).alias("bought"))
    )
    day = F.when(F.col("bought"), F.col("order_date"))
    mean = F.try_divide(F.sum("fen").cast("double"), F.count(day))
    bought = by_day.groupBy("subscriber_id").agg(*_numbers("order", day, end), mean.alias("mean_order_fen"))
    return visit_rows.join(bought.where("order_repeats >= 0"), on="subscriber_id", how="full")


def _numbers(kind: str, day: Column, end: date) -> list[Column]:
    """Aggregates over distinct days."""
    columns = F.count(day).cast("int") - 1, F.datediff(F.max(day), F.min(day)), F.datediff(F.lit(end), F.min(day))
    return [column.alias(f"{kind}_{name}") for name, column in zip(NUMBERS, columns, strict=True)]
