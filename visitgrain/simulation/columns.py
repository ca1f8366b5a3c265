"""Columns of one length: NumPy arrays while a world is computed, Arrow columns when it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Self

import numpy as np
import pyarrow as pa

from visitgrain.arrow.casting import ARROW, INSTANT
from visitgrain.catalogue.source import DAYS, GENERATED, NOTICED
from visitgrain.tables import Table

NONE = -1  # code of a value that is not there
_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)], "S2")


@dataclass(frozen=True)
class Columns:
    """Base of what has one value per row in each field."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: np.ndarray) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})


def hex_of(keys: np.ndarray) -> pa.StringArray:
    """64-bit keys as 16 hexadecimal digits."""
    digits = _HEX[keys.astype(">u8").view(np.uint8)]
    offsets = np.arange(0, 16 * len(keys) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(digits))


def hex_taken(keys: np.ndarray, rows: np.ndarray) -> pa.StringArray:
    """`keys[rows]` in hexadecimal, each key spelled once."""
    return hex_of(keys).take(pa.array(rows))


def coded(codes: np.ndarray, texts: Iterable[str | None]) -> pa.DictionaryArray:
    """The text that each code stands for; none for NONE. A place without a text is one no code points at."""
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, pa.int32(), mask=codes < 0), pa.array([text or "" for text in texts], pa.string())
    )


def nullable(values: np.ndarray, known: np.ndarray, type_: pa.DataType | None = None) -> pa.Array:
    """`values` where `known`, elsewhere null."""
    return pa.array(values, type_, mask=~known)


def dates(days: np.ndarray, known: np.ndarray | None = None) -> pa.Array:
    """Days since 1970 as dates; none where not `known`."""
    return pa.array(days.astype(np.int32), mask=None if known is None else ~known).cast(pa.date32())


def instants(micros: np.ndarray, known: np.ndarray | None = None) -> pa.Array:
    """Microseconds since 1970 as instants; none where not `known`."""
    return pa.array(micros, mask=None if known is None else ~known).cast(INSTANT)


@cache
def feed_schema(table: Table) -> pa.Schema:
    """The columns of `table` that a feed delivers, without those that ingest adds."""
    added = {*GENERATED, *NOTICED, "exclusion", *DAYS.get(table.name, ())[:1]}
    return pa.schema([(c.name, ARROW[c.type]) for c in table.columns if c.name not in added])


def conformed(columns: Mapping[str, pa.Array | np.ndarray], table: Table) -> pa.Table:
    """`columns` in the order and the types of a feed of `table`; what the feed does not know is null.

    Texts that come as a dictionary stay so: they are written in that form, and the file is the same.
    """
    rows = len(next(iter(columns.values())))
    made = [_conformed(columns.get(field.name), field.type, rows) for field in feed_schema(table)]
    return pa.table(made, names=feed_schema(table).names)


def _conformed(column: pa.Array | np.ndarray | None, type_: pa.DataType, rows: int) -> pa.Array:
    if column is None:
        return pa.nulls(rows, type_)
    made = column if isinstance(column, pa.Array) else pa.array(column)
    return made if pa.types.is_dictionary(made.type) else made.cast(type_)
