"""Ranks over millions of rows that stay where they are: only counts are sorted."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, functions as F


def ranked(rows: DataFrame, steps: Column, *, within: str, name: str = "rank") -> DataFrame:
    """`rows` with `name`: 1 + how many rows of `within` are steps higher; equals share it, null has none.

    `steps` is what is ranked in whole numbers, as fine as ranks are to tell apart: a million of them are broadcast.
    """
    marked = rows.withColumn("_step", steps.cast("bigint"))
    counts = marked.where("_step is not null").groupBy(within, "_step").agg(F.count(F.lit(1)).alias("_n"))
    upward = Window.partitionBy(within).orderBy(F.desc("_step"))
    above = counts.select(within, "_step", (F.sum("_n").over(upward) - F.col("_n") + 1).cast("bigint").alias(name))
    return marked.join(F.broadcast(above), [within, "_step"], how="left").drop("_step")
