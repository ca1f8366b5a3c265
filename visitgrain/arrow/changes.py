"""Which keys occur in some rows of a table, told by its files; each as a slot of `Keys`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from visitgrain.arrow.hashing import hash_rows
from visitgrain.arrow.keys import Keys, slots_of
from visitgrain.arrow.rows import FilePart, read_part


@dataclass(frozen=True)
class Changed:
    """Files of one partition value that came and went. A row that came as it went did not change.

    `columns`: those that matter, `by` among them; rows that differ in others only are the same.
    """

    by: str
    columns: tuple[str, ...]
    came: tuple[FilePart, ...]
    went: tuple[FilePart, ...]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in (*self.came, *self.went))

    def slots(self, power: int) -> Iterator[np.ndarray]:
        """Of the values of `by` in rows that changed; nulls are no keys."""
        if self.came and self.went:
            yield self._slots_of_different(power)
            return
        for part in (*self.came, *self.went):
            yield slots_of(read_part(part, [self.by])[self.by].drop_null(), power)

    def _slots_of_different(self, power: int) -> np.ndarray:
        came, went = (pa.concat_tables(read_part(p, self.columns) for p in parts) for parts in (self.came, self.went))
        signs = np.repeat([1, -1], [came.num_rows, went.num_rows])
        hashes = np.concatenate([hash_rows(came), hash_rows(went)])
        _, row, place = np.unique(hashes, return_index=True, return_inverse=True)
        differs = row[np.bincount(place, signs, len(row)) != 0]
        keys = pa.concat_tables([came.select([self.by]), went.select([self.by])])[self.by].take(pa.array(differs))
        return slots_of(keys.drop_null(), power)


@dataclass(frozen=True)
class Owners:
    """Keys `by` of the rows whose value of `column` is one of `keys`."""

    by: str
    column: str
    keys: Keys
    part: FilePart

    @property
    def rows(self) -> int:
        return self.part.rows

    def slots(self, power: int) -> Iterator[np.ndarray]:
        rows = read_part(self.part, [self.by, self.column])
        yield slots_of(rows[self.by].filter(self.keys.hold(rows[self.column])).drop_null(), power)


def slots_in(
    batches: Iterator[pa.RecordBatch], *, units: Sequence[Changed | Owners], power: int
) -> Iterator[pa.RecordBatch]:
    """In a worker: the slots of the units whose numbers come, each once, as one binary value."""
    numbers = [number for batch in batches for number in batch["id"].to_pylist()]
    found = [np.zeros(0, np.uint32), *(slots for number in numbers for slots in units[number].slots(power))]
    slots = np.unique(np.concatenate(found)).astype(np.uint32)
    yield pa.RecordBatch.from_pydict({"slots": pa.array([slots.tobytes()], pa.binary())})
