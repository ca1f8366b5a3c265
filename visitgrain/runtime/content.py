"""What rows amount to, whatever their order, files or tasks: equal contents, equal rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from visitgrain.arrow.hashing import hash_rows

Value = TypeVar("Value")  # of the partition column
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
    def named(cls, path: str) -> Content:
        """The content that the name of a file tells. A file of another program stands for its path, used only once."""
        found = _NAME.search(path.rpartition("/")[2])
        if found is None:
            digest = hashlib.blake2b(path.encode(), digest_size=16).digest()
            return cls(0, int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big"))
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


def by_partition(contents: Iterable[tuple[Value, Content]]) -> dict[Value, Content]:
    """Sum of the contents of each partition value."""
    found: dict[Value, Content] = {}
    for value, content in contents:
        found[value] = found.get(value, Content()) + content
    return found
