"""Conditions on the partition column of a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pyspark.sql import Column, functions as F

from visitgrain.runtime.job import Window
from visitgrain.tables import Table


def within(table: Table, window: Window) -> Column:
    """Both ends included."""
    first, last = window
    column = F.col(_partition(table))
    lower = column >= F.lit(first) if first else F.lit(True)
    return lower & (column <= F.lit(last) if last else F.lit(True))


def among_sql(table: Table, days: Iterable[date]) -> str:
    """For `replaceWhere`: exactly these partitions."""
    listed = ", ".join(f"DATE'{day}'" for day in sorted(set(days)))
    return f"`{_partition(table)}` IN ({listed})"


def within_sql(table: Table, window: Window) -> str:
    """For `replaceWhere`: both ends included."""
    first, last = window
    name = _partition(table)
    bounds = [f"`{name}` >= DATE'{first}'" if first else "", f"`{name}` <= DATE'{last}'" if last else ""]
    return " AND ".join(filter(None, bounds)) or "true"


def _partition(table: Table) -> str:
    if table.partition is None:
        raise ValueError(f"table {table.name} has no partition: read or write it whole")
    return table.partition
