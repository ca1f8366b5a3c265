"""Which periods of a job are up to date: a period is touched when what it read is no longer what is there.

What a period read is one hash over the contents of the partitions in its reads' windows. The ledger keeps it, so that
knowing what is touched takes the newest logs alone; no row is read and no Spark is started.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property

from visitgrain.runtime.content import by_partition
from visitgrain.runtime.delta_log import DataFile, of_part
from visitgrain.runtime.job import Job, Read, Window
from visitgrain.runtime.ledger import Entry, code_version
from visitgrain.runtime.retention import KeptFrom, is_retired
from visitgrain.span import Span
from visitgrain.tables import Table


class State(StrEnum):
    COMPLETE = "complete"
    TOUCHED = "touched"  # an input has changed since
    MISSING = "missing"  # never run, or the last run failed


class Inputs:
    """What the tables hold now, as hashes. Looks at each table once."""

    def __init__(self, files_of: Callable[[Table], Sequence[DataFile]]) -> None:
        self._files_of = files_of
        self._tables: dict[str, tuple[Sequence[DataFile], dict[str | None, _Contents]]] = {}  # files; contents by part

    def hash(self, job: Job, period: Span) -> str:
        """Of all that `job` reads for `period`."""
        parts = [f"{read.argument}={self._of(read, period)}" for read in job.reads]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()

    def look_at(self, job: Job) -> None:
        """At all that `job` reads, now."""
        for read in job.reads:
            self._contents(read)

    def forget(self, tables: Iterable[Table]) -> None:
        """Look again at what has been written since."""
        for table in tables:
            self._tables.pop(table.name, None)

    def _of(self, read: Read, period: Span) -> str:
        return self._contents(read).within(read.of(period) or (None, None))

    def _contents(self, read: Read) -> _Contents:
        if read.table.name not in self._tables:
            self._tables[read.table.name] = self._files_of(read.table), {}
        files, by_part = self._tables[read.table.name]
        if read.part not in by_part:
            by_part[read.part] = _Contents.of(of_part(files, read.part))
        return by_part[read.part]


class _Contents:
    """Contents of a table's partitions, in order of their values."""

    def __init__(self, contents: Sequence[tuple[date, str]]) -> None:
        self._values = [value for value, _ in contents]
        self._lines = [f"{value}:{content}\n".encode() for value, content in contents]

    @classmethod
    def of(cls, files: Iterable[DataFile]) -> _Contents:
        totals = by_partition((file.partition or date.min, file.content) for file in files)
        return cls([(value, totals[value].name) for value in sorted(totals)])

    def within(self, window: Window) -> str:
        """Hash of the contents between both ends of `window`; None = open."""
        first, last = window
        begin = bisect_left(self._values, first) if first else 0
        end = bisect_right(self._values, last) if last else len(self._values)
        if begin == 0:
            return self._until[end]  # history: known for every day at once
        return hashlib.blake2b(b"".join(self._lines[begin:end]), digest_size=8).hexdigest()

    @cached_property
    def _until(self) -> list[str]:
        running = hashlib.blake2b(digest_size=8)
        found = [running.hexdigest()]
        for line in self._lines:
            running.update(line)
            found.append(running.hexdigest())
        return found


class Book:
    """What the ledger says of periods, against what the inputs are now."""

    def __init__(
        self, entries: Iterable[Entry], inputs: Inputs, *, catalogue_hash: str, kept: KeptFrom | None = None
    ) -> None:
        """`kept`: from when on the tables are there that lost old rows; periods before are never due."""
        self.entries = list(entries)
        self._inputs = inputs
        self._catalogue_hash = catalogue_hash
        self._kept = kept or {}
        self._last: dict[str, dict[date, Entry]] = {}
        for entry in self.entries:
            for first in entry.input_hashes:
                day = date.fromisoformat(first)
                self._last.setdefault(entry.job, {})[day] = entry

    def periods(self, job: Job) -> list[Span]:
        """Those that ran or failed, in order."""
        return [Span(day, day).periods(job.grain)[0] for day in sorted(self._last.get(job.name, {}))]

    def state(self, job: Job, period: Span) -> State:
        last = self._last.get(job.name, {}).get(period.start)
        if last is None or last.status != "ok":
            return State.MISSING
        read = last.input_hashes[str(period.start)]
        return State.COMPLETE if read == self._inputs.hash(job, period) else State.TOUCHED

    def touched_since(self, job: Job, period: Span) -> Entry | None:
        """The run whose output a touched period is; None where it ran with other code, or is not touched."""
        last = self._last.get(job.name, {}).get(period.start)
        return last if self._made_alike(last) and self.state(job, period) == State.TOUCHED else None

    def due(self, job: Job) -> set[Span]:
        """Periods that ran before and are not up to date: an input has changed since, or their last run failed."""
        if job.tracked:
            return set()
        known = [period for period in self.periods(job) if not is_retired(job, period, self._kept)]
        return {period for period in known if self.state(job, period) != State.COMPLETE}

    def is_current(self, job: Job, period: Span) -> bool:
        """Complete, and computed with this code and catalogue."""
        last = self._last.get(job.name, {}).get(period.start)
        return self._made_alike(last) and self.state(job, period) == State.COMPLETE

    def is_done(self, job: Job, period: Span, run_id: str) -> bool:
        """Current, by what this very run did."""
        last = self._last.get(job.name, {}).get(period.start)
        return last is not None and last.run_id == run_id and self.is_current(job, period)

    def _made_alike(self, entry: Entry | None) -> bool:
        made_with = (entry.code_version, entry.catalogue_hash) if entry else None
        return made_with == (code_version(), self._catalogue_hash)


def takes_many(job: Job) -> bool:
    """Does one run of the job take several periods?"""
    return job.grain == "day" or job.many_months


def failed_run(jobs: Iterable[Job], span: Span, entries: Iterable[Entry]) -> str | None:
    """Id of the last run of `jobs` for days of `span`, where it failed; None where it ended well or never began."""
    names = {job.name for job in jobs}
    of_span = [e for e in entries if e.job in names and e.period_start <= span.end and e.period_end >= span.start]
    last = max(of_span, key=lambda entry: entry.started_at, default=None)
    return last.run_id if last is not None and last.status == "failed" else None


def next_run(job: Job, periods: Iterable[Span]) -> Span:
    """What to run first of `periods`: the earliest month, or the earliest days (or months) without a gap."""
    first, *more = sorted(periods)
    if not takes_many(job):
        return first
    end = first.end
    for period in more:
        if period.start > end + timedelta(days=1):
            break
        end = period.end
    return Span(first.start, end)
