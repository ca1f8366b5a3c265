"""Which keys occur in some rows of a table, told by its files; each as a slot of `Keys`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.casting import micros
from visitgrain.arrow.hashing import hash_rows
from visitgrain.arrow.keys import Keys, slots_of
from visitgrain.arrow.rows import FilePart, read_part

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE = 2_000_000  # rows, two columns of each: fewer are read by the driver; a Spark job takes longer to start


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
class NearMidnight:
    """Keys `by` of the rows up to an instant or from another one on: `time` in microseconds."""

    by: str
    time: str
    part: FilePart
    until: int
    since: int

    @property
    def rows(self) -> int:
        return self.part.rows

    def slots(self, power: int) -> Iterator[np.ndarray]:
        rows = read_part(self.part, [self.by, self.time])
        t = micros(rows[self.time]).to_numpy()
        yield slots_of(rows[self.by].filter(pa.array((t <= self.until) | (t >= self.since))).drop_null(), power)


@dataclass(frozen=True)
class Tie:
    """Rows whose value of `column` is one of `keys`; but for those with an earlier instant than `since` in `final`."""

    column: str
    keys: Keys
    final: str | None = None
    since: int = 0  # microseconds

    @property
    def columns(self) -> set[str]:
        return {self.column, *([self.final] if self.final else [])}

    def holds(self, rows: pa.Table) -> pa.Array:
        held = self.keys.hold(rows[self.column])
        if self.final is None:
            return held
        is_final = pc.less(micros(rows[self.final]), self.since).fill_null(fill_value=False)
        return pc.and_not(held, is_final.combine_chunks())


@dataclass(frozen=True)
class Owners:
    """Keys `by` of the rows that one of `ties` holds."""

    by: str
    ties: tuple[Tie, ...]
    part: FilePart

    @property
    def rows(self) -> int:
        return self.part.rows

    def slots(self, power: int) -> Iterator[np.ndarray]:
        columns = {self.by}.union(*(tie.columns for tie in self.ties))
        rows = read_part(self.part, sorted(columns))
        for tie in self.ties:
            yield slots_of(rows[self.by].filter(tie.holds(rows)).drop_null(), power)


Unit = Changed | NearMidnight | Owners


def keys_in(units: Sequence[Unit], power: int, spark: Callable[[], SparkSession]) -> list[Keys]:
    """The keys of each unit; many rows are read by Spark."""
    rows = sum(unit.rows for unit in units)
    if rows <= HERE:
        return [Keys.at(unit.slots(power), power) for unit in units]
    tasks = min(len(units), -(-rows // HERE))
    numbers = spark().range(len(units), numPartitions=tasks)
    told = numbers.mapInArrow(partial(slots_in, units=units, power=power), "unit bigint, slots binary").collect()
    slots = {row["unit"]: np.frombuffer(row["slots"], np.uint32) for row in told}
    return [Keys.at([slots[number]], power) for number in range(len(units))]


def slots_in(batches: Iterator[pa.RecordBatch], *, units: Sequence[Unit], power: int) -> Iterator[pa.RecordBatch]:
    """In a worker: of each unit whose number comes, the slots, each once, as one binary value."""
    for number in (number for batch in batches for number in batch["id"].to_pylist()):
        found = np.concatenate([np.zeros(0, np.uint32), *units[number].slots(power)])
        slots = np.unique(found).astype(np.uint32).tobytes()
        yield pa.RecordBatch.from_pydict({"unit": [number], "slots": pa.array([slots], pa.binary())})
