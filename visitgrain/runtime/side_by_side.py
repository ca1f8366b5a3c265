"""Spark jobs of one run, submitted at once: while one plans, or has fewer tasks than cores, another uses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def side_by_side(work: Sequence[Callable[[], Result]]) -> list[Result]:
    """What each of `work` returns, in its order. Waits for all of them, then raises what the first one raised."""
    with ThreadPoolExecutor(max_workers=max(len(work), 1)) as threads:
        found = [threads.submit(function) for function in work]
    return [future.result() for future in found]
