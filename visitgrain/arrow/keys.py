"""Sets of keys that are small enough for every worker: a bit per slot, and each key has a slot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce

import numpy as np
import pyarrow as pa

from visitgrain.arrow.hashing import hash_values, mix

SLOTS_PER_KEY = 8  # so of a hundred keys that are not in a set at most twelve look as if they were
FEWEST, MOST = 16, 28  # slots, as powers of two: 8 KiB to 32 MiB


@dataclass(frozen=True)
class Keys:
    """A set of values. It holds all that were put in, and a few more by chance: the same few for everybody."""

    power: int
    packed: bytes  # the bits, compressed: many sets have few keys, and workers are sent one per day

    @classmethod
    def at(cls, slots: Iterable[np.ndarray], power: int) -> Keys:
        """Of the values with these slots of 2**power."""
        filled = np.zeros(1 << power, bool)
        for some in slots:
            filled[some] = True
        return cls.of(np.packbits(filled), power)

    @classmethod
    def of(cls, bits: np.ndarray, power: int) -> Keys:
        """With these bits, eight in each value."""
        return cls(power, pa.compress(bits.tobytes(), codec="lz4", asbytes=True))

    @property
    def bits(self) -> np.ndarray:
        size = 1 << self.power - 3
        return np.frombuffer(pa.decompress(self.packed, size, codec="lz4", asbytes=True), np.uint8)

    def hold(self, values: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Per value: is it in the set? A null never is."""
        slots = slots_of(values, self.power)
        found = self.bits[slots >> 3] >> (7 - (slots & 7)).astype(np.uint8) & 1
        return pa.array(found.astype(bool) & values.is_valid().to_numpy(zero_copy_only=False))

    def __or__(self, other: Keys) -> Keys:
        """Both have the same number of slots."""
        return Keys.of(self.bits | other.bits, self.power)

    def __and__(self, other: Keys) -> Keys:
        return Keys.of(self.bits & other.bits, self.power)

    @property
    def is_empty(self) -> bool:
        return not self.bits.any()


@dataclass(frozen=True)
class KeysByDay:
    """A set of values for each of some days; other days have none.

    `ever`: those of any day; `since`: nothing of the inputs has changed on a day before it.
    """

    of_day: Mapping[date, Keys]
    ever: Keys
    since: date | None = None

    @classmethod
    def of(cls, of_day: Mapping[date, Keys], power: int, since: date | None = None) -> KeysByDay:
        found = {day: keys for day, keys in of_day.items() if not keys.is_empty}
        return cls(found, union(found.values(), power), since)

    def on(self, day: date | None) -> Keys | None:
        return self.of_day.get(day) if day else None

    def hold(self, values: pa.Array | pa.ChunkedArray, day: date | None) -> pa.Array:
        """Per value of rows of this day: is it in the set of the day?"""
        keys = self.on(day)
        return keys.hold(values) if keys else pa.array(np.zeros(len(values), bool))

    def count(self, day: date | None) -> int:
        """How many of the day, at least."""
        keys = self.on(day)
        return int.from_bytes(keys.bits.tobytes(), "little").bit_count() if keys else 0


def union(sets: Iterable[Keys], power: int) -> Keys:
    """Of sets with 2**power slots; some may be the same object, which counts once."""
    distinct = list({id(keys): keys for keys in sets}.values())
    return reduce(Keys.__or__, distinct) if distinct else Keys.at((), power)


def power_for(keys: int) -> int:
    """For a set of about so many keys: how many slots, as a power of two."""
    return min(max((SLOTS_PER_KEY * keys).bit_length(), FEWEST), MOST)


def slots_of(values: pa.Array | pa.ChunkedArray, power: int) -> np.ndarray:
    """The slot of each value, of 2**power."""
    return (mix(hash_values(values)) >> np.uint64(64 - power)).astype(np.int64)
