"""What rows amount to, whatever their order, files or tasks: equal contents, equal rows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from visitgrain.arrow.hashing import hash_rows

_NAME = re.compile(r"\d+-[0-9a-f]{16}-[0-9a-f]{16}")


@dataclass(frozen=True)
class Content:
    """Number of rows, and exclusive or and sum (modulo 2**64) of their hashes. Contents of parts add up."""

    rows: int = 0
    xor: int = 0
    sum: int = 0

    @classmethod
    def of(cls, rows: pa.Table) -> Content:
        hashes = hash_rows(rows)
        return cls(rows.num_rows, int(np.bitwise_xor.reduce(hashes)), int(hashes.sum(dtype=np.uint64)))

    @classmethod
    def named(cls, path: str) -> Content | None:
        """The content that the name of a file tells; None for a file of another program."""
        found = _NAME.search(path.rpartition("/")[2])
        if found is None:
            return None
        rows, xor, total = found[0].split("-")
        return cls(int(rows), int(xor, 16), int(total, 16))

    @property
    def name(self) -> str:
        return f"{self.rows}-{self.xor:016x}-{self.sum:016x}"

    @property
    def hash(self) -> str:
        return hashlib.blake2b(f"{self.rows}|{self.xor}|{self.sum}".encode(), digest_size=16).hexdigest()

    def __add__(self, other: Content) -> Content:
        return Content(self.rows + other.rows, self.xor ^ other.xor, (self.sum + other.sum) % 2**64)
