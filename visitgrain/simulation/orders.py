"""Orders: those of the e-channel as the events tell them, and those of outlet, hotline and SMS."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.simulation.chance import between, choose, hashed, uniform
from visitgrain.simulation.events import hex_of
from visitgrain.simulation.visits import SECOND
from visitgrain.simulation.world import World

PAID_STATUS = {"paid": 0.10, "fulfilled": 0.85, "cancelled": 0.05}
ORDER_EVENTS = ("order_paid", "order_failed")
OPENING_HOUR, CLOSING_HOUR = 9, 20


def to_e_channel_orders(event_rows: DataFrame) -> DataFrame:
    """One row per row of `event_rows`, which are order events alone: same instant, same amount."""
    draw = F.col("visit")
    status = F.when(F.col("event_type") == "order_paid", _paid_status(draw)).otherwise(F.lit("failed"))
    return event_rows.select(
        F.concat(F.lit("e"), F.col("process_id")).alias("order_id"),
        F.col("person_id").alias("subscriber_id"),
        F.col("event_us").alias("order_us"),
        "product_id",
        "business",
        "channel",
        "amount_fen",
        status.alias("status"),
        draw.alias("draw"),
    )


def to_offline_orders(subscriber_months: DataFrame, *, world: World) -> DataFrame:
    """At most one row per subscriber and month: an order at an outlet, by hotline or SMS."""
    draw = F.col("draw")
    in_service = F.col("silent_from") > F.last_day("month")
    buyers = subscriber_months.filter(in_service & (uniform(draw, "offline") < world.offline_orders_per_month))
    products = F.array(
        *(
            F.struct(
                F.lit(product.product_id).alias("product_id"),
                F.lit(product.business).alias("business"),
                F.lit(product.price_fen).cast("bigint").alias("price_fen"),
            )
            for product in world.products
        )
    )
    product_no = between(uniform(draw, "product"), F.lit(0), F.lit(len(world.products) - 1)).cast("int")
    first_day = F.greatest(F.col("month"), F.col("activation_date"))
    day_no = F.floor(uniform(draw, "day") * (F.date_diff(F.last_day("month"), first_day) + F.lit(1))).cast("int")
    open_s = (CLOSING_HOUR - OPENING_HOUR) * 3600
    second = F.lit(OPENING_HOUR * 3600) + F.floor(uniform(draw, "second") * F.lit(open_s))
    midnight_us = F.unix_micros(F.date_add(first_day, day_no).cast("timestamp"))
    offered = buyers.select("*", F.get(products, product_no).alias("product"))
    return offered.select(
        F.concat(F.lit("o"), hex_of(hashed(draw, "order"))).alias("order_id"),
        "subscriber_id",
        (midnight_us + second * F.lit(SECOND)).alias("order_us"),
        F.col("product.product_id").alias("product_id"),
        F.col("product.business").alias("business"),
        choose(uniform(draw, "channel"), world.offline_channels).alias("channel"),
        F.col("product.price_fen").alias("amount_fen"),
        _paid_status(draw).alias("status"),
        "draw",
    )


def to_orders(e_channel: DataFrame, offline: DataFrame) -> DataFrame:
    """`orders`, one row per order, with `day`, the local day it was placed."""
    days = between(uniform(F.col("draw"), "cancel"), F.lit(1), F.lit(72)) * F.lit(3600 * SECOND)
    cancelled = F.when(F.col("status") == "cancelled", F.timestamp_micros(F.col("order_us") + days))
    return e_channel.unionByName(offline).select(
        "order_id",
        "subscriber_id",
        F.timestamp_micros("order_us").alias("order_time"),
        "product_id",
        "business",
        "channel",
        "amount_fen",
        "status",
        cancelled.alias("cancel_time"),
        F.to_date(F.timestamp_micros("order_us")).alias("day"),
    )


def _paid_status(draw: Column) -> Column:
    return choose(uniform(draw, "status"), PAID_STATUS)
