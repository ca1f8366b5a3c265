"""What came of the members of a campaign, judged alike in both arms."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.measures import SETS
from visitgrain.span import Span
from visitgrain.tables.measuring import CAMPAIGN_RESULTS

MEMBER = ["campaign_id", "subscriber_id"]


class Judged(NamedTuple):
    """Days from the draw on that count."""

    days: int

    @classmethod
    def of(cls, catalogue: Catalogue) -> Judged:
        return cls(catalogue.metrics.settings.campaign_days)


def evaluate_campaigns(
    *,
    campaign_audiences: DataFrame,
    campaign_exposures: DataFrame,
    visits: DataFrame,
    orders: DataFrame,
    spec: Judged,
    span: Span,
) -> DataFrame:
    """One row per member whose days end in the span: deliveries, visits led to, and completed orders in them.

    Intent to treat: what the control arm did without any delivery counts just so.
    """
    ends = F.date_add("assigned_date", spec.days - 1)
    members = campaign_audiences.withColumn("evaluation_date", ends)
    members = members.where(F.col("evaluation_date").between(F.lit(span.start), F.lit(span.end)))
    members = members.select(*MEMBER, "arm", "assigned_date", "evaluation_date")
    deliveries = campaign_exposures.select(*MEMBER, F.col("exposure_date").alias("_day"))
    led = visits.where("subscriber_id is not null and campaign_id is not null")
    led = led.select(*MEMBER, F.col("visit_date").alias("_day"))
    sold = orders.where(F.col("status").isin(*SETS["COMPLETED"]) & ~F.col("business").eqNullSafe("topup"))
    sold = sold.select("subscriber_id", F.col("order_date").alias("_day"), "amount_fen")
    rows = (
        members.join(_counted(members, deliveries, MEMBER, F.count(F.lit(1)).alias("exposures")), MEMBER, how="left")
        .join(_counted(members, led, MEMBER, F.count(F.lit(1)).alias("clicks")), MEMBER, how="left")
        .join(_orders(members, sold), MEMBER, how="left")
        .join(_where_delivered(campaign_exposures), "campaign_id", how="left")
    )
    counts = ("exposures", "clicks", "revenue_fen")
    filled = rows.withColumns({name: F.coalesce(name, F.lit(0)).cast("bigint") for name in counts})
    converted = F.coalesce(F.col("_orders") > 0, F.lit(False))
    return filled.withColumn("converted", converted).select(*CAMPAIGN_RESULTS.column_names)


def _counted(members: DataFrame, rows: DataFrame, on: list[str], *aggregates) -> DataFrame:
    inside = F.col("_day").between(F.col("assigned_date"), F.col("evaluation_date"))
    return members.join(rows, on, how="inner").where(inside).groupBy(*MEMBER).agg(*aggregates)


def _orders(members: DataFrame, sold: DataFrame) -> DataFrame:
    aggregates = F.count(F.lit(1)).alias("_orders"), F.sum("amount_fen").alias("revenue_fen")
    return _counted(members, sold, ["subscriber_id"], *aggregates)


def _where_delivered(campaign_exposures: DataFrame) -> DataFrame:
    """A campaign speaks in one place; where it does not, the first by name stands for it."""
    where = [F.min(name).alias(name) for name in ("channel", "touchpoint_id")]
    return campaign_exposures.groupBy("campaign_id").agg(*where)
