"""What of its output a run has to compute: the keys in rows that changed since the rest was computed, day by day.

A job is local by a key (`Job.local`) when each of its rows depends on rows with the same key alone, or with the same
value of another column that the row has too (`Read.by`). Then a run for touched periods takes from its inputs what
belongs to keys in changed rows, and keeps its other rows. Nothing is assumed of periods that never ran, failed, ran
with other code or another catalogue, or are complete and asked for again: all their keys are computed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.changes import Tie
from visitgrain.arrow.keys import Keys, KeysByDay, power_for, union
from visitgrain.arrow.rows import parts_of, read_part
from visitgrain.errors import GateRefused
from visitgrain.runtime.contract import in_part_of
from visitgrain.runtime.delta_log import DataFile, of_part
from visitgrain.runtime.differences import differences
from visitgrain.runtime.job import Job, hull
from visitgrain.runtime.key_search import Changed, KeySearch
from visitgrain.runtime.planning import Book
from visitgrain.span import Span

if TYPE_CHECKING:
    from visitgrain.runtime.lake import Lake

Files = tuple[DataFile, ...]


@dataclass(frozen=True)
class Touched:
    """The keys that a run computes, values of `by`; on the days of `ran` the rows of other keys stay."""

    by: str
    keys: KeysByDay
    ran: frozenset[date]

    def others(self, rows: pa.Table, day: date | None) -> pa.Table:
        """Of the rows of a day those that stay."""
        return rows.filter(pc.invert(self.keys.hold(rows[self.by], day)))

    def tie(self, day: date | None) -> Tie | None:
        """What holds the rows of a day that ran which may now be others."""
        keys = self.keys.on(day) if day in self.ran else None
        return Tie(self.by, keys) if keys else None

    def staying(self, files: Iterable[DataFile], part: str | None) -> tuple[Files, Files]:
        """Of the days that ran: files that stay as they are, on days without a key; and those of which some rows do."""
        own = _own(files, part, self.ran)
        left = tuple(file for file in own if file.partition not in self.keys.of_day)
        return left, tuple(file for file in own if file.partition in self.keys.of_day)


def touched(job: Job, span: Span, lake: Lake, book: Book, spec: Any) -> Touched | None:
    """None: everything is to be computed."""
    by = job.local(spec, lake.has) if job.local else None
    if by is None:
        return None
    periods = span.periods(job.grain)
    since = {period: entry for period in periods if (entry := book.touched_since(job, period))}
    ran = frozenset(period.start for period in since)
    own = {table: _own(lake.data_files(table), job.part, ran) for table in job.writes}
    if not since or not all(lake.intact(table, files) for table, files in own.items()):
        return None
    try:
        found = differences(job, since, {period.start for period in periods} - ran, lake)
    except GateRefused:  # the log does not reach back so far any more
        return None
    if any(each.read.by is None or not lake.intact(each.read.table, each.went) for each in found):
        return None
    search = KeySearch(by, lake, power_for(sum(each.changed for each in found)))
    changed = list(zip(found, search.changed(found), strict=True))
    conserved = _by_day(_of_conserved(job, changed), search.power)
    if job.reads_itself:  # what this run makes of a day is history for its later days
        conserved = _accumulated(conserved, [period.start for period in periods], search.power)
    keys = _by_day([*conserved.items(), *search.owners(job, own[job.writes[0]], changed)], search.power)
    if link := job.conserved.link:
        near = search.near_midnight(job.conserved, link, spec, hull(map(job.conserved.of, periods)), found)
        keys = with_linked(keys, _by_day(near, search.power))
    values = [each.value or date.min for each in found]
    return Touched(by, KeysByDay.of(keys, search.power, min(values, default=None)), ran)


def rows_that_stay(
    listing: Iterable[pa.RecordBatch], *, columns: Sequence[str], touched: Touched
) -> Iterator[pa.Table]:
    """In a worker: the rows of files whose key is not touched, for the part of the table that they were in."""
    for file in parts_of(listing):
        rows = touched.others(read_part(file, columns, dictionaries=columns), file.partition)
        yield in_part_of(file.path, rows)


def _own(files: Iterable[DataFile], part: str | None, days: Collection[date]) -> list[DataFile]:
    return [file for file in of_part(files, part) if file.partition in days]


def _of_conserved(job: Job, changed: Changed) -> Iterator[tuple[date, Keys]]:
    """Days and keys of changed rows that the output accounts for; with a link the days on which they lie."""
    for each, keys in changed:
        if each.read is job.conserved:
            days = each.days if each.read.link is None or each.value is None else (each.value,)
            yield from ((day, keys) for day in days)


def _by_day(found: Iterable[tuple[date, Keys]], power: int) -> dict[date, Keys]:
    sets: dict[date, list[Keys]] = defaultdict(list)
    for day, keys in found:
        sets[day].append(keys)
    return {day: union(of_day, power) for day, of_day in sets.items()}


def _accumulated(keys: Mapping[date, Keys], days: Iterable[date], power: int) -> dict[date, Keys]:
    """Per day in order: the keys of this day and of all before it."""
    found: dict[date, Keys] = {}
    so_far = union((), power)
    for day in days:
        so_far = so_far | keys[day] if day in keys else so_far
        found[day] = so_far
    return found


def with_linked(keys: Mapping[date, Keys], near: Mapping[date, Keys]) -> dict[date, Keys]:
    """`keys`, each also on the days to which a chain of days leads that have it close to the midnights between them.

    `near`: the keys close to the midnights of each day.
    """
    found = dict(keys)
    for days in (sorted(near), sorted(near, reverse=True)):
        for one, other in pairwise(days):
            if one in found and abs(other - one).days == 1:
                more = found[one] & near[one] & near[other]
                found[other] = found[other] | more if other in found else more
    return found
