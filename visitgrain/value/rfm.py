"""Frequency, recency, age and money of each customer: what the models of this package are fitted on."""

from __future__ import annotations

from datetime import date

import polars as pl

WEEK = 7  # days


def summaries(purchases: pl.DataFrame, end: date) -> pl.DataFrame:
    """One row per customer with a purchase up to `end`, by `customer`. All purchases of one day are one.

    `purchases`: `customer`, `day`, `amount`. Columns: `x` repeat purchases; `t_x` and `T` weeks from the first
    purchase to the last and to `end`; `mean_value` and `mean_repeat_value` money of a purchase, the first one included
    or not (null without a repeat). These are the statistics of Fader, Hardie & Lee (2005), Marketing Science 24(2).
    """
    days = purchases.filter(pl.col("day") <= end).group_by("customer", "day").agg(pl.col("amount").sum())
    first, last, x = pl.col("day").min(), pl.col("day").max(), pl.len().cast(pl.Int64) - 1
    repeat = pl.col("amount").sum() - pl.col("amount").sort_by("day").first()
    return (
        days.sort("customer", "day")  # sums of floats in one order
        .group_by("customer", maintain_order=True)
        .agg(
            x=x,
            t_x=(last - first).dt.total_days() / WEEK,
            T=(pl.lit(end) - first).dt.total_days() / WEEK,
            mean_value=pl.col("amount").mean(),
            mean_repeat_value=pl.when(x > 0).then(repeat / x),
        )
    )
