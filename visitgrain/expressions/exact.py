"""Sums and means that come out the same to the last bit, however the rows are cut and ordered.

A sum of doubles depends on the order of its terms. Here the terms become whole units first.
"""

from __future__ import annotations

from pyspark.sql import Column, functions as F

DAY_US = 86_400_000_000


def units(column: Column, scale: int) -> Column:
    """`column` in whole units of 1 / scale, as bigint."""
    return F.round(column * F.lit(float(scale))).cast("bigint")


def exact_sum(column: Column, scale: int) -> Column:
    """Sum over the group with a resolution of 1 / scale; null where all are null."""
    return F.sum(units(column, scale)) / F.lit(float(scale))


def exact_mean(column: Column) -> Column:
    """Mean over the group with a resolution of six decimals; null where all are null."""
    return F.avg(column.cast("decimal(20,6)")).cast("double")
