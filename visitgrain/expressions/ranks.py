"""Ranks over millions of rows without bringing them to one task."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, functions as F


def ranked(rows: DataFrame, value: str, *, within: str, bucket: Column, name: str = "rank") -> DataFrame:
    """`rows` with `name`: 1 + how many rows of `within` have a larger `value`; equals share it, null has none.

    `bucket` is a whole number that never falls when `value` rises: rows of a bucket are ranked together, those of
    larger buckets only counted.
    """
    marked = rows.withColumn("_bucket", bucket)
    counts = marked.where("_bucket is not null").groupBy(within, "_bucket").agg(F.count(F.lit(1)).alias("_n"))
    upward = Window.partitionBy(within).orderBy(F.desc("_bucket"))
    above = counts.select(within, "_bucket", (F.sum("_n").over(upward) - F.col("_n")).alias("_above"))
    inside = Window.partitionBy(within, "_bucket").orderBy(F.desc(value))
    found = marked.withColumn("_inside", F.rank().over(inside)).join(
        F.broadcast(above), [within, "_bucket"], how="left"
    )
    return found.withColumn(name, (F.col("_above") + F.col("_inside")).cast("bigint"))
