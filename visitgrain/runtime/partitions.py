"""Which partitions of a table are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from visitgrain.runtime.job import Window

FEW = 7  # up to here each task may write a file per partition
Partitions = Callable[[date], bool]  # holds for the values of the partition column that are meant


def in_window(window: Window) -> Partitions:
    """Both ends included; None = open."""
    first, last = window
    return lambda value: (first is None or first <= value) and (last is None or value <= last)


def among(days: Iterable[date]) -> Partitions:
    """Exactly these."""
    return frozenset(days).__contains__


def is_wide(window: Window | None) -> bool:
    """Does a write reach over so many partitions that its rows should be brought together by partition first?"""
    return not (window and window[0] and window[1]) or (window[1] - window[0]).days >= FEW
