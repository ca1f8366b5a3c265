"""Which partitions of a table are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from pyspark.sql import Column, functions as F

from visitgrain.runtime.job import Window
from visitgrain.tables import Table

Partitions = Callable[[date], bool]  # holds for the values of the partition column that are meant


def in_window(window: Window) -> Partitions:
    """Both ends included; None = open."""
    first, last = window
    return lambda value: (first is None or first <= value) and (last is None or value <= last)


def among(days: Iterable[date]) -> Partitions:
    """Exactly these."""
    return frozenset(days).__contains__


def within(table: Table, window: Window) -> Column:
    """`in_window` as a condition on rows."""
    if table.partition is None:
        raise ValueError(f"table {table.name} has no partition: read or write it whole")
    first, last = window
    column = F.col(table.partition)
    lower = column >= F.lit(first) if first else F.lit(True)
    return lower & (column <= F.lit(last) if last else F.lit(True))
