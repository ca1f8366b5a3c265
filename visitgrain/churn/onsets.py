"""When silence begins after each cut-off: the outcome that hazards are learnt from.

A silence is `silence_days` days or more without an active day on the label channel; it begins on the day after the
active day before it. A row is followed from its cut-off; a silence that had begun unknown to anybody begins in week 1.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window, functions as F

from visitgrain.catalogue.churn import ChurnSettings

KEY = ["subscriber_id", "month"]


def silence_onsets(churn_features: DataFrame, activity_days: DataFrame, settings: ChurnSettings) -> DataFrame:
    """KEY, weeks, event, known_weeks of who was neither gone nor silent at the cut-off.

    event 1: silence begins in the week after `weeks` whole weeks. 0: not within `weeks`, which is then `known_weeks`:
    the same for all rows of a cut-off, as the last `silence_days` of the table tell of no one whether silence began.
    """
    silence_days = settings.survival.silence_days
    rows = not_silent(churn_features, silence_days).select(*KEY, F.add_months("month", 1).alias("_cut"))
    ends = activity_days.agg(F.max("day").alias("_last"))  # any channel, anybody: the table ends, not a habit
    stops = _stops(activity_days.where(F.col("channel").isin(*settings.channels)), ends, silence_days)
    ahead = F.expr("_who = subscriber_id and (_next is null or _next >= _cut)")  # not over at the cut-off
    first = rows.join(stops, ahead, how="left").groupBy(*KEY, "_cut").agg(F.min("_begins").alias("_begins"))
    followed = first.join(F.broadcast(ends), how="cross")
    weeks = followed.select(
        *KEY,
        F.expr("floor(if(_begins < _cut, 0, datediff(_begins, _cut)) / 7)").alias("_weeks"),  # null: none began
        F.greatest(F.floor((F.datediff("_last", "_cut") - silence_days + 2) / 7), F.lit(0)).alias("known_weeks"),
    )
    begins = F.coalesce(F.col("_weeks") < F.col("known_weeks"), F.lit(False))
    return weeks.select(
        *KEY,
        F.when(begins, F.col("_weeks")).otherwise(F.col("known_weeks")).cast("int").alias("weeks"),
        begins.cast("int").alias("event"),
        F.col("known_weeks").cast("int").alias("known_weeks"),
    )


def not_silent(churn_features: DataFrame, silence_days: int) -> DataFrame:
    """Who can still go silent: active in the month, not gone, and seen within `silence_days` before the cut-off."""
    return churn_features.where(F.col("active") & ~F.col("gone") & (F.col("recency") < silence_days))


def _stops(own: DataFrame, ends: DataFrame, silence_days: int) -> DataFrame:
    """_who, _begins (first day of a silence), _next (the active day that ends it, null = none yet)."""
    days = own.select("subscriber_id", "day").distinct()
    in_order = Window.partitionBy("subscriber_id").orderBy("day")
    gaps = days.withColumn("_next", F.lead("day").over(in_order)).join(F.broadcast(ends), how="cross")
    quiet = F.datediff(F.coalesce("_next", F.date_add("_last", 1)), "day") - 1
    return gaps.where(quiet >= silence_days).select(
        F.col("subscriber_id").alias("_who"), F.date_add("day", 1).alias("_begins"), "_next"
    )
