"""Who is in the base of a segment model, and what its axes measure there."""

from __future__ import annotations

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.segment_models import Axis

NO_SNAPSHOT = "no snapshot"


def in_fit_base(model: str) -> Column:
    """Whose values cut points are fitted on: subscribers in service, or with a visit."""
    return F.col("in_service") if model == "consumption" else F.col("visits") > 0


def in_base(model: str) -> Column:
    """Who gets a row. A visitor without a snapshot is in the consumption base, unassigned: not left out in silence."""
    return in_fit_base(model) | is_visitor_without_snapshot() if model == "consumption" else in_fit_base(model)


def is_visitor_without_snapshot() -> Column:
    return (F.col("visits") > 0) & ~F.col("has_snapshot")


def measure_of(axis: Axis) -> Column:
    """The axis' input as double; null = unknown."""
    column = F.col("score")[axis.purpose] if axis.purpose else F.col(axis.measure)
    return column.cast("double")
