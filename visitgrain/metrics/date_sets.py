"""Sets of local days as words of 64 bits, one row of words per subscriber: counted without a loop over days.

Bit `j` of word `i` stands for day number `origin + 64 i + j`; `origin` is a multiple of 64. So sets of the same origin
merge by `|`, and a later origin drops whole words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS = 8  # 449 to 512 days: at least the 430 that formulas may ask for
BITS = 64
ALL_BITS = np.uint64(2**BITS - 1)
Array = NDArray[Any]


def origin_of(last_day: int) -> int:
    """Day number of the first bit of a set whose last possible day has number `last_day`."""
    return (last_day // BITS - (WORDS - 1)) * BITS


def empty(size: int) -> Array:
    return np.zeros((size, WORDS), np.uint64)


def insert(words: Array, rows: Array, days: Array, origin: int) -> None:
    """Adds day number `days[k]` to the set in row `rows[k]`; days before the origin are dropped."""
    places = days.astype(np.int64) - origin
    kept = (places >= 0) & (places < WORDS * BITS)
    places, rows = places[kept], rows[kept].astype(np.int64)
    bits = np.left_shift(np.uint64(1), (places % BITS).astype(np.uint64))
    np.bitwise_or.at(words.reshape(-1), rows * WORDS + places // BITS, bits)


def moved(words: Array, origin: int, later: int) -> Array:
    """The same sets from the origin `later` on."""
    drop = (later - origin) // BITS
    found = np.zeros_like(words)
    if 0 <= drop < WORDS:
        found[:, : WORDS - drop] = words[:, drop:]
    return found


def hits(words: Array, first: Array, last: Array) -> Array:
    """How many bits of each set are set from place `first` to `last`: places per row, or one for all."""
    counts = np.zeros(len(words), np.int64)
    for word in range(WORDS):
        mask = _lowest(last + 1 - word * BITS) & ~_lowest(first - word * BITS)
        counts += np.bitwise_count(words[:, word] & mask)
    return counts


def followed(words: Array, *, within: int) -> Array:
    """The places after which, `within` days, there is another day of the set."""
    later = np.zeros_like(words)
    for days in range(1, within + 1):
        later |= words >> np.uint64(days)
        later[:, :-1] |= words[:, 1:] << np.uint64(BITS - days)
    return later


def _lowest(number: Array) -> Array:
    """A word with so many of its lowest bits set: none below 1, all from 64 on."""
    bits = np.clip(number, 0, BITS).astype(np.uint64)
    return np.where(bits == 0, np.uint64(0), ALL_BITS >> ((np.uint64(BITS) - bits) % np.uint64(BITS)))
