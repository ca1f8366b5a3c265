"""Sums and means that come out the same to the last bit, however the rows are cut and ordered.

A sum of doubles depends on the order of its terms. Here the terms become decimals first.
"""

from __future__ import annotations

from pyspark.sql import Column, functions as F

EXACT = "decimal(38,12)"  # what doubles are added as


def exact_mean(column: Column) -> Column:
    """Mean over the group with a resolution of six decimals; null where all are null."""
    return F.avg(column.cast("decimal(20,6)")).cast("double")
