"""Whose day rows are: subscribers and local days, also told apart by slices, and the buckets that they go to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from visitgrain.arrow.casting import by_code, constant
from visitgrain.arrow.shuffle import together

Array = NDArray[Any]
KEYS = ("subscriber_id", "day")
SLICED_KEYS = (*KEYS, "slice", "slice_value")
KEY_TYPES = (pa.int64(), pa.date32(), pa.string(), pa.string())


class Subjects(NamedTuple):
    """Different keys in their order, nulls first. `number` says which of them a row has; -1 = it is left out."""

    keys: pa.Table
    number: Array

    @classmethod
    def of(cls, tables: Sequence[pa.Table], names: Sequence[str]) -> Subjects:
        """Those of the rows of all tables, one table after the other."""
        kinds = dict(zip(SLICED_KEYS, KEY_TYPES, strict=True))
        none = pa.table({name: pa.array([], kinds[name]) for name in names})
        keys = together([none, *(table.select(names) for table in tables)])
        code = np.zeros(len(keys), np.int64)
        for column in keys.columns:
            place, places = _in_order(column)
            code = code * places + place
        _, first, number = np.unique(code, return_index=True, return_inverse=True)
        return cls(keys.take(pa.array(first)), number)

    def by(self, name: str, values: pa.ChunkedArray) -> Subjects:
        """The same told apart by the slice `name`. `values`: of each row; a row without one is left out."""
        place, places = _in_order(values)
        rows = np.flatnonzero(place)
        _, first, number = np.unique((self.number * places + place)[rows], return_index=True, return_inverse=True)
        sliced = constant(name, len(first)), values.take(pa.array(rows[first]))
        keys = self.keys.take(pa.array(self.number[rows[first]]))
        for key, column in zip(SLICED_KEYS[len(KEYS) :], sliced, strict=True):
            keys = keys.append_column(key, column)
        of_rows = np.full(len(place), -1)
        of_rows[rows] = number
        return Subjects(keys, of_rows)


class Spread(NamedTuple):
    """Days in buckets: each day has `shares` of its own, over which its subscribers are spread."""

    first: date
    days: int
    shares: int

    @property
    def buckets(self) -> int:
        return self.days * self.shares

    def bucket(self, keys: pa.Table) -> Array:
        day = keys["day"].cast(pa.int32()).to_numpy() - pa.scalar(self.first, pa.date32()).value
        subscriber = keys["subscriber_id"].fill_null(0).to_numpy().view(np.uint64)
        found: Array = day * np.int64(self.shares) + (subscriber % np.uint64(self.shares)).astype(np.int64)
        return found


def _in_order(column: pa.ChunkedArray) -> tuple[Array, int]:
    """Per row the place of its value among the different ones, from 1; 0 = null. And how many places there are."""
    coded = column.unify_dictionaries().combine_chunks()
    if not pa.types.is_dictionary(coded.type):
        coded = coded.dictionary_encode()
    values = len(coded.dictionary)
    place = np.empty(values, np.int64)
    place[pc.array_sort_indices(coded.dictionary).to_numpy()] = np.arange(1, values + 1)
    return by_code(coded, place, np.int64(0)), values + 1
