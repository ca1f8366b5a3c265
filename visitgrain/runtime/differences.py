"""Which files of a job's inputs came and went since its periods ran, from the logs alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from visitgrain.arrow.changes import Changed, Owners, Tie
from visitgrain.runtime.delta_log import DataFile, of_part
from visitgrain.runtime.job import Job, Read
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.listing import parts_of_files
from visitgrain.runtime.partitions import in_window
from visitgrain.span import Span

if TYPE_CHECKING:
    from visitgrain.runtime.lake import Lake


@dataclass(frozen=True)
class Difference:
    """Files of one partition value of an input that came and went since the periods that start on `days` ran."""

    read: Read
    value: date | None
    came: frozenset[DataFile]
    went: frozenset[DataFile]
    days: tuple[date, ...]
    within: Tie | None = None  # all rows that changed are among those that it holds

    @property
    def changed(self) -> int:
        """About how many rows: of files written again for a few rows, some hundredths."""
        came, went = (sum(file.rows for file in files) for files in (self.came, self.went))
        return max(abs(came - went), came // 50)

    def units(self, root: str) -> Iterator[Changed | Owners]:
        """One per file; but one for all files where some went, to tell the rows that came as they went."""
        by, columns = str(self.read.by), self.read.columns or tuple(self.read.table.column_names)
        came, went = (tuple(parts_of_files(root, files)) for files in (self.came, self.went))
        if self.within:
            yield from (Owners(by, (self.within,), part) for part in (*came, *went))
            return
        for parts in [came] if went else [(part,) for part in came]:
            yield Changed(by, columns, parts, went)


def differences(job: Job, since: Mapping[Span, Entry], new: Collection[date], lake: Lake) -> list[Difference]:
    """Of what the periods read that ran as `since` says; of `new` days, all that is conserved came.

    Raises GateRefused where a log does not reach back so far any more.
    """
    files = cache(lake.data_files)  # by table and version
    found: dict[tuple[Read, date | None, frozenset[DataFile], frozenset[DataFile]], set[date]] = {}
    for read in job.reads:
        now = {*of_part(files(read.table, None), read.part)}
        for version, periods in _by_version(read, since).items():
            then = {*of_part(files(read.table, version), read.part)} if version is not None else set()
            windows = [(period.start, in_window(read.of(period) or (None, None))) for period in periods]
            for value, came, went in _by_value(now - then, then - now):
                days = {day for day, within in windows if value is None or within(value)}
                found.setdefault((read, value, came, went), set()).update(days)
        for day in new if read is job.conserved else ():
            came = frozenset(file for file in now if file.partition == day)
            found.setdefault((read, day, came, frozenset()), set()).add(day)
    return [
        Difference(read, value, came, went, tuple(sorted(days)), lake.rewritten(came, went))
        for (read, value, came, went), days in found.items()
        if days and (came or went)
    ]


def _by_version(read: Read, since: Mapping[Span, Entry]) -> dict[int | None, list[Span]]:
    """The periods by the version of the table that they read; None = it was not there."""
    found: dict[int | None, list[Span]] = {}
    for period, entry in since.items():
        found.setdefault(entry.input_versions.get(read.table.name), []).append(period)
    return found


def _by_value(
    came: set[DataFile], went: set[DataFile]
) -> Iterator[tuple[date | None, frozenset[DataFile], frozenset[DataFile]]]:
    for value in sorted({file.partition for file in came | went}, key=str):
        yield (
            value,
            frozenset(file for file in came if file.partition == value),
            frozenset(file for file in went if file.partition == value),
        )
