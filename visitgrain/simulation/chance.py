"""Chance without state: every draw is a hash of what it is about, so partitioning and order never matter."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import accumulate

from pyspark.sql import Column, functions as F


def hashed(*parts: Column | str) -> Column:
    """64-bit hash of columns and of salts (strings are salts, not column names)."""
    return F.xxhash64(*(F.lit(zlib.crc32(part.encode())) if isinstance(part, str) else part for part in parts))


def uniform(*parts: Column | str) -> Column:
    """Uniform double on [0, 1): the upper 53 bits of the hash."""
    return F.shiftrightunsigned(hashed(*parts), 11).cast("double") * F.lit(2.0**-53)


def normal(*parts: Column | str) -> Column:
    """Standard normal (Box-Muller on two draws)."""
    radius = F.sqrt(F.lit(-2.0) * F.log(F.lit(1.0) - uniform(*parts, "radius")))
    return radius * F.cos(F.lit(6.283185307179586) * uniform(*parts, "angle"))


def between(draw: Column, low: Column, high: Column) -> Column:
    """The draw as an integer from `low` to `high`, both included."""
    return (low + F.floor(draw * (high - low + F.lit(1)))).cast("bigint")


def choose(draw: Column, weights: Mapping[str, float]) -> Column:
    """The option whose share of the unit interval holds `draw`."""
    *bounds, _ = _cumulative(list(weights.values()))
    *names, last = weights
    chosen = F.lit(last)
    for name, bound in reversed(list(zip(names, bounds, strict=True))):
        chosen = F.when(draw < F.lit(bound), F.lit(name)).otherwise(chosen)
    return chosen


def choose_index(draw: Column, weights: Sequence[float]) -> Column:
    """Position, from 0, of the option whose share of the unit interval holds `draw`."""
    *bounds, _ = _cumulative(weights)
    return sum(((draw >= F.lit(bound)).cast("int") for bound in bounds), F.lit(0))


def poisson(draw: Column, rate: Column, *, most: int) -> Column:
    """Poisson count by inversion, cut at `most`."""
    count, term, total = F.lit(0), F.exp(-rate), F.exp(-rate)
    for k in range(1, most + 1):
        count = count + (draw >= total).cast("int")
        term = term * rate / F.lit(float(k))
        total = total + term
    return count


def _cumulative(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    return [reached / total for reached in accumulate(weights)]
