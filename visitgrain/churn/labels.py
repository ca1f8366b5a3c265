"""Who of those known at the end of the month before was silent in the month.

Silence of a month that is not over cannot be told from a feed that ends: such rows get no label (outcome `open_month`).
"""

from __future__ import annotations

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.churn.contract import GONE
from visitgrain.span import Span
from visitgrain.tables.churning import CHURN_LABELS

OPEN_MONTH = "open_month"
QUIET_DAYS = 2  # at the end of a month nobody at all may have done anything for so long


def label_silence(
    *, churn_features: DataFrame, activity_days: DataFrame, subscriber_month: DataFrame, spec: Catalogue, span: Span
) -> DataFrame:
    """One row per subscriber of the features of the month before. The month must be over: run after its last day."""
    key = ["subscriber_id", "month"]
    month = F.trunc("day", "month").alias("month")
    ends = activity_days.groupBy(month).agg(F.max("day").alias("_last"))
    asked = churn_features.select("subscriber_id", "active", "gone", F.add_months("month", 1).alias("month"))
    own = activity_days.where(F.col("channel").isin(*spec.churn.channels))
    seen = own.select("subscriber_id", month).distinct().withColumn("_seen", F.lit(True))
    left = subscriber_month.select("subscriber_id", "month", F.col("status").isin(*GONE).alias("_left"))
    labelled = asked.join(seen, key, how="left").join(left, key, how="left")
    labelled = labelled.join(F.broadcast(ends), "month", how="left")
    over = F.coalesce(F.date_add("_last", QUIET_DAYS) >= F.last_day("month"), F.lit(False))
    found = labelled.withColumns(
        {
            "silent": F.col("_seen").isNull(),
            "departed": F.coalesce("_left", F.lit(False)) | F.col("gone"),
            "_outcome": F.when(over, "kept").otherwise(OPEN_MONTH),
        }
    )
    return found.select(*CHURN_LABELS.column_names, "_outcome")
