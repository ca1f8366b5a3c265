"""Sums of doubles that come out the same to the last bit, however the rows are cut and ordered: as whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNIT = 1_000_000_000_000  # of the fraction
FRACTION = "__fraction"  # behind the name of a column: of its fractions

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def parts_of(values: Floats) -> tuple[Integers, Integers]:
    """Whole part and fraction, in units of 1e-12. nan is 0."""
    found = np.nan_to_num(values, nan=0.0)
    whole = np.floor(found)
    return whole.astype(np.int64), np.rint((found - whole) * UNIT).astype(np.int64)


def whole_of(whole: Integers, fraction: Integers) -> Floats:
    """The numbers again, from sums of their parts."""
    return (whole + fraction // UNIT).astype(np.float64) + (fraction % UNIT) / UNIT
