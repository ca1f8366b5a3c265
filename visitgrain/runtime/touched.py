"""What of its output a run has to compute: the keys in rows that changed since the rest was computed.

A job is local by a key (`Job.local`) when each of its rows depends on rows with the same key alone, or with the same
value of another column that the row has too (`Read.by`). Then a run for touched periods takes from its inputs what
belongs to keys in changed rows, and keeps its other rows. Nothing is assumed of periods that never ran, failed, ran
with other code or another catalogue, or are complete and asked for again: all their keys are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError

from visitgrain.arrow.changes import Changed, Owners, slots_in
from visitgrain.arrow.keys import Keys, power_for
from visitgrain.arrow.rows import parts_of, read_part
from visitgrain.runtime.contract import PART
from visitgrain.runtime.delta_log import DataFile, part_of
from visitgrain.runtime.job import Job, Read, hull
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.listing import parts_of_files
from visitgrain.runtime.partitions import in_window
from visitgrain.runtime.planning import Book
from visitgrain.span import Span
from visitgrain.tables import Table

if TYPE_CHECKING:
    from visitgrain.runtime.lake import Lake

HERE = 1_000_000  # rows: fewer are read by the driver; a Spark job takes longer to start


@dataclass(frozen=True)
class Touched:
    """The keys that a run computes, values of `by`; on the days of `ran` the rows of other keys stay."""

    by: str
    keys: Keys
    ran: frozenset[date]


def touched(job: Job, span: Span, lake: Lake, book: Book, spec: Any) -> Touched | None:
    """None: everything is to be computed."""
    by = job.local(spec, lake.has) if job.local else None
    if by is None:
        return None
    periods = span.periods(job.grain)
    since = {period: entry for period in periods if (entry := book.touched_since(job, period))}
    ran = frozenset(period.start for period in since)
    own = {table: [file for file in lake.data_files(table) if _is_own(file, job, ran)] for table in job.writes}
    if not since or not all(lake.intact(table, files) for table, files in own.items()):
        return None
    new = {period.start for period in periods} - ran
    files = cache(lake.data_files)  # by table and version
    changed: dict[str, list[Changed]] = {by: []}
    try:
        for read in job.reads:
            fresh = new if read.argument == job.conserves else ()
            for came, went in _differences(read, since, files, fresh):
                if ((came or went) and read.by is None) or not lake.intact(read.table, went):
                    return None
                changed.setdefault(read.by or by, []).extend(_units(read, lake.path(read.table), came, went))
    except DeltaError:  # the log does not reach back so far any more
        return None
    power = power_for(sum(unit.rows for units in changed.values() for unit in units))
    keys = {column: _keys(units, power, lake) for column, units in changed.items()}
    owners = [
        Owners(by, column, of_column, part)
        for column, of_column in keys.items()
        if column != by and not of_column.is_empty
        for table, files in own.items()
        for part in parts_of_files(lake.path(table), files)
    ]
    return Touched(by, keys[by] | _keys(owners, power, lake), ran)


def rows_that_stay(
    listing: Iterable[pa.RecordBatch], *, columns: Sequence[str], touched: Touched
) -> Iterator[pa.Table]:
    """In a worker: the rows of files whose key is not touched, for the part of the table that they were in."""
    for file in parts_of(listing):
        rows = read_part(file, columns, dictionaries=columns)
        rows = rows.filter(pc.invert(touched.keys.hold(rows[touched.by])))
        yield rows.append_column(PART, pa.repeat(part_of(file.path), rows.num_rows))


def _is_own(file: DataFile, job: Job, days: Collection[date]) -> bool:
    return file.partition in days and job.part in (None, file.part)


def _differences(
    read: Read,
    since: Mapping[Span, Entry],
    files: Callable[[Table, int | None], Sequence[DataFile]],
    new: Collection[date],
) -> Iterator[tuple[set[DataFile], set[DataFile]]]:
    """Files that came and went: all of `new` days; and since each version that was read, within what was read of it."""
    now = {file for file in files(read.table, None) if read.part in (None, file.part)}
    yield {file for file in now if file.partition in new}, set()
    of_version: dict[int | None, list[Span]] = {}
    for period, entry in since.items():
        of_version.setdefault(entry.input_versions.get(read.table.name), []).append(period)
    for version, periods in of_version.items():
        former = files(read.table, version) if version is not None else ()
        then = {file for file in former if read.part in (None, file.part)}
        within = in_window(hull(read.of(period) for period in periods))
        yield (
            {file for file in now - then if file.partition is None or within(file.partition)},
            {file for file in then - now if file.partition is None or within(file.partition)},
        )


def _units(read: Read, root: str, came: Iterable[DataFile], went: Iterable[DataFile]) -> Iterator[Changed]:
    """A unit per file, but one for all files of a partition value from which some went."""
    columns = read.columns or tuple(read.table.column_names)
    gone = {file.partition for file in went}
    for part in parts_of_files(root, [file for file in came if file.partition not in gone]):
        yield Changed(str(read.by), columns, (part,), ())
    for value in gone:
        of_value = [
            tuple(parts_of_files(root, [file for file in files if file.partition == value])) for files in (came, went)
        ]
        yield Changed(str(read.by), columns, *of_value)


def _keys(units: Sequence[Changed | Owners], power: int, lake: Lake) -> Keys:
    rows = sum(unit.rows for unit in units)
    if rows <= HERE:
        return Keys.at((slots for unit in units for slots in unit.slots(power)), power)
    tasks = min(len(units), -(-rows // HERE))
    numbers = lake.spark.range(len(units), numPartitions=tasks)
    found = numbers.mapInArrow(partial(slots_in, units=units, power=power), "slots binary").collect()
    return Keys.at((np.frombuffer(row["slots"], np.uint32) for row in found), power)
