"""Which partitions of a table are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from visitgrain.runtime.job import Window

Partitions = Callable[[date], bool]  # holds for the values of the partition column that are meant


def in_window(window: Window) -> Partitions:
    """Both ends included; None = open."""
    first, last = window
    return lambda value: (first is None or first <= value) and (last is None or value <= last)


def among(days: Iterable[date]) -> Partitions:
    """Exactly these."""
    return frozenset(days).__contains__
