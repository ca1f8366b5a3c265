"""Sets of keys that are small enough for every worker: a bit per slot, and each key has a slot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from visitgrain.arrow.hashing import hash_values, mix

SLOTS_PER_KEY = 16  # so of a hundred keys that are not in a set about six look as if they were
FEWEST, MOST = 16, 28  # slots, as powers of two: 8 KiB to 32 MiB


@dataclass(frozen=True)
class Keys:
    """A set of values. It holds all that were put in, and a few more by chance: the same few for everybody."""

    power: int
    bits: bytes

    @classmethod
    def at(cls, slots: Iterable[np.ndarray], power: int) -> Keys:
        """Of the values with these slots of 2**power."""
        filled = np.zeros(1 << power, bool)
        for some in slots:
            filled[some] = True
        return cls(power, np.packbits(filled).tobytes())

    def hold(self, values: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Per value: is it in the set? A null never is."""
        slots = slots_of(values, self.power)
        found = np.frombuffer(self.bits, np.uint8)[slots >> 3] >> (7 - (slots & 7)).astype(np.uint8) & 1
        return pa.array(found.astype(bool) & values.is_valid().to_numpy(zero_copy_only=False))

    def __or__(self, other: Keys) -> Keys:
        """Both have the same number of slots."""
        both = np.frombuffer(self.bits, np.uint8) | np.frombuffer(other.bits, np.uint8)
        return Keys(self.power, both.tobytes())

    @property
    def is_empty(self) -> bool:
        return self.bits.count(0) == len(self.bits)


def power_for(keys: int) -> int:
    """For a set of about so many keys: how many slots, as a power of two."""
    return min(max((SLOTS_PER_KEY * keys).bit_length(), FEWEST), MOST)


def slots_of(values: pa.Array | pa.ChunkedArray, power: int) -> np.ndarray:
    """The slot of each value, of 2**power."""
    return (mix(hash_values(values)) >> np.uint64(64 - power)).astype(np.int64)
