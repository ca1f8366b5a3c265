"""Events received longer after they happened than the late horizon: kept apart until somebody admits them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pyspark.sql import Column, DataFrame, Window, functions as F

from visitgrain.sources.settling import STORED
from visitgrain.tables import Table
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import LATE_EVENTS

PLACE = "_place"  # name of the table that a row is in, or goes to
LATE = "late"


def places_of(table: Table) -> Sequence[Table]:
    """The tables that rows of `table` are stored in."""
    return (table, LATE_EVENTS) if table is EVENTS else (table,)


def with_place(rows: DataFrame, table: Table, horizon: timedelta) -> DataFrame:
    """Where new rows go. Lateness is a property of the row, so its place never depends on the order of arrival."""
    own = F.lit(table.name)
    return rows.withColumn(PLACE, F.when(_is_late(horizon), LATE_EVENTS.name).otherwise(own) if _splits(table) else own)


def beside_admitted(contested: DataFrame, table: Table, horizon: timedelta) -> DataFrame:
    """New rows of ids of which a late event was admitted before go where that one is."""
    if not _splits(table):
        return contested
    stands = F.coalesce(F.col(STORED) & (F.col(PLACE) == table.name) & _is_late(horizon), F.lit(False))
    admitted = F.max(stands).over(Window.partitionBy(*table.key))
    return contested.withColumn(PLACE, F.when(~F.col(STORED) & admitted, table.name).otherwise(F.col(PLACE)))


def _splits(table: Table) -> bool:
    return len(places_of(table)) > 1


def _is_late(horizon: timedelta) -> Column:
    late_us = F.unix_micros("received_time") - F.unix_micros("event_time")
    return late_us > F.lit(horizon // timedelta(microseconds=1))
