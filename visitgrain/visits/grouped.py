"""Aggregates over consecutive groups of rows: each is one pass of numpy over the whole batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

NEVER = np.iinfo(np.int64).max  # row number of something that does not occur


@dataclass(frozen=True)
class Groups:
    """`starts[k]` is the first row of group k; groups are consecutive and cover all `rows`. There is at least one."""

    starts: np.ndarray
    rows: int

    @property
    def last(self) -> np.ndarray:
        return np.append(self.starts[1:], self.rows) - 1

    @property
    def of_row(self) -> np.ndarray:
        """Group number of each row."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=self.rows))

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sum per group, as 64-bit integers."""
        return np.add.reduceat(values.astype(np.int64), self.starts)

    def first_row(self, where: np.ndarray) -> np.ndarray:
        """First row per group with `where`; NEVER if there is none."""
        return np.minimum.reduceat(np.where(where, np.arange(self.rows), NEVER), self.starts)

    def last_row(self, where: np.ndarray) -> np.ndarray:
        """Last row per group with `where`; -1 if there is none."""
        return np.maximum.reduceat(np.where(where, np.arange(self.rows), -1), self.starts)

    def counts(self, codes: np.ndarray, size: int) -> np.ndarray:
        """Matrix (groups, size): how often each code 0..size-1 occurs; other codes are left out."""
        valid = codes >= 0
        flat = self.of_row[valid] * size + codes[valid]
        return np.bincount(flat, minlength=len(self.starts) * size).reshape(-1, size)

    def distinct(self, codes: np.ndarray) -> np.ndarray:
        """Number of distinct non-negative codes per group."""
        valid, width = codes >= 0, int(codes.max(initial=0)) + 1
        pairs = np.sort(self.of_row[valid] * width + codes[valid])
        new = np.diff(pairs, prepend=-1) != 0
        return np.bincount(pairs[new] // width, minlength=len(self.starts))


def take(values: pl.Series, rows: np.ndarray) -> pl.Series:
    """`values` at `rows`, null where the row is -1 or NEVER."""
    missing = (rows < 0) | (rows == NEVER)
    if missing.all():
        return pl.Series(values.name, [None], dtype=values.dtype).new_from_index(0, len(rows))
    return values[np.where(missing, 0, rows)].set(pl.Series(missing), None)
