"""A job says as data what it reads and writes; its transform is a plain function. The runner does the rest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import import_module
from typing import Any

import pyarrow as pa

from visitgrain.span import Grain, Span, month_end_before, shifted_month
from visitgrain.tables import TABLES, Table

Window = tuple[date | None, date | None]  # first and last value of the partition column, both included; None = open


@dataclass(frozen=True)
class Link:
    """Days of one key are tied only where rows on both sides of a midnight lie `within` of it: instants in `time`."""

    time: str
    within: Callable[[Any], timedelta]  # of the spec


@dataclass(frozen=True)
class Read:
    """An input: a table and, for a dated one, the part of it that a run for a span needs.

    `optional`: a table that does not exist yet is read as empty (a feed without billing, the first month).
    `as_files`: the transform gets `TableFiles`, to read in the workers what is too wide for rows of the JVM.
    `part`: only the files of this part of the table.
    For jobs that are local by a key: `by` is the column by whose values rows are tied to those of the output, None = a
    change ties them all; `columns` are those that the transform looks at, () = all; `link` says that what is conserved
    reaches another day only over a midnight, `final` names a column of the output: rows with an instant in it do not
    depend on rows of days after that.
    """

    table: Table
    window: Callable[[Span], Window] | None = None
    optional: bool = False
    as_files: bool = False
    part: str | None = None
    name: str | None = None  # argument name of the transform; the table's name by default
    by: str | None = None
    columns: tuple[str, ...] = ()
    link: Link | None = None
    final: str | None = None

    @property
    def argument(self) -> str:
        return self.name or self.table.name

    def of(self, span: Span) -> Window | None:
        """The part of the table that a run for `span` needs; None = all of it."""
        return self.window(span) if self.window else None


def during(table: Table, *, before: int = 0, after: int = 0, **more: Any) -> Read:
    """The days of the span, widened. For tables partitioned by month use `month_of`."""
    return Read(table, lambda span: (span.start - timedelta(days=before), span.end + timedelta(days=after)), **more)


def hull(windows: Iterable[Window | None]) -> Window:
    """The smallest window that holds all of `windows`, of which there is one at least."""
    firsts, lasts = zip(*(window or (None, None) for window in windows), strict=True)
    return None if None in firsts else min(firsts), None if None in lasts else max(lasts)


def until(table: Table, **more: Any) -> Read:
    """Everything before the span: history."""
    return Read(table, lambda span: (None, span.start - timedelta(days=1)), **more)


def through(table: Table, **more: Any) -> Read:
    """Everything before the span, and the span: history up to its end."""
    return Read(table, lambda span: (None, span.end), **more)


def month_of(table: Table, *, offset: int = 0, **more: Any) -> Read:
    """The span's month of a table partitioned by month; `offset` -1 = the month before."""

    def window(span: Span) -> Window:
        day = shifted_month(span.start, offset)
        return day, day

    return Read(table, window, **more)


def month_ends_before(span: Span) -> tuple[date, date]:
    """The last days of the months before those of the span: of the first one and of the last one."""
    return month_end_before(span.start), month_end_before(span.end)


def months_before(span: Span) -> Window:
    """The month before each month of the span, for tables partitioned by month."""
    first, last = month_ends_before(span)
    return first.replace(day=1), last.replace(day=1)


def months_in(span: Span) -> Window:
    """The months of the span, for tables partitioned by month."""
    return span.month, span.end.replace(day=1)


def whole(table: Table, **more: Any) -> Read:
    """The whole table."""
    return Read(table, None, **more)


@dataclass(frozen=True)
class Job:
    """One Spark job.

    transform(**{argument: DataFrame or TableFiles}, spec=…, span=Span) returns the rows of the only table in `writes`,
    as DataFrame or ArrowRows, or a dict of them by table name. The rows may carry two reserved columns for the
    conservation law: `_rows` (input rows that the row accounts for, default 1) and `_outcome` (default 'kept', others
    named in `outcomes`); only kept rows are written.
    `conserves` names the argument whose row count must equal the sum of `_rows` over the tables with a reserved column
    (over all of them where none has one); None where no such law exists (reports).
    `laws`, of the rows of its only table and the spec, tells what does not hold: such a run changes nothing.
    `many_months`: a monthly job whose transform takes a span of several months, so that a backfill is one run.
    `tracked`: the transform trains or applies models. It is given `tracking`, may act on its inputs, and runs only when
    asked: models change with time, so what was scored is not scored again because an input was touched.
    `part`: the job writes this part of its tables, files of their own; another job writes another part. Rows may also
    say themselves, in the reserved column `_part`, into which part's files they go.
    `local`, of the spec and of which tables are there: the column by whose values the job is local, None where it is
    not. A run may then be told to compute some keys only, `touched` of the transform: see runtime/touched.py. Such a
    job conserves rows, and each key with rows in the first table has some in what it conserves. Where it reads its own
    past, it looks only at what comes unchanged from what it conserves.
    """

    name: str
    reads: tuple[Read, ...]
    writes: tuple[Table, ...]
    transform: Callable[..., Any]
    grain: Grain
    summary: str
    spec: Callable[[Any], Any] | None = None  # picks from the loaded catalogue what the transform needs
    conserves: str | None = None
    outcomes: tuple[str, ...] = ()  # what a row may become beside 'kept'
    laws: Callable[[pa.Table, Any], list[str]] | None = None
    many_months: bool = False
    tracked: bool = False
    part: str | None = None
    local: Callable[[Any, Callable[[Table], bool]], str | None] | None = None

    def __post_init__(self) -> None:
        if self.name in sys.stdlib_module_names:
            raise ValueError(f"job {self.name!r} would shadow a standard module; name it verb_noun")
        arguments = [read.argument for read in self.reads]
        if len(set(arguments)) != len(arguments):
            raise ValueError(f"job {self.name}: two reads share an argument name; set Read.name")
        if self.conserves is not None and self.conserves not in arguments:
            raise ValueError(f"job {self.name}: conserves {self.conserves!r}, which it does not read")
        if self.local and self.conserves is None:
            raise ValueError(f"job {self.name}: local, but conserves nothing; name the read that its rows account for")
        if self.laws and len(self.writes) != 1:
            raise ValueError(f"job {self.name}: laws are about the rows of one table, it writes {len(self.writes)}")
        parts = [*((read.table, read.part) for read in self.reads), *((table, self.part) for table in self.writes)]
        for table, part in parts:
            if part is not None and part not in table.parts:
                raise ValueError(f"job {self.name}: table {table.name} has no part {part!r}: {', '.join(table.parts)}")
        for table in (*[r.table for r in self.reads], *self.writes):
            if TABLES.get(table.name) is not table:
                raise ValueError(f"job {self.name}: table {table.name!r} is not declared in visitgrain.tables")

    @property
    def conserved(self) -> Read:
        """The read that `conserves` names; there is one."""
        return next(read for read in self.reads if read.argument == self.conserves)

    @property
    def reads_itself(self) -> bool:
        """Is what it wrote for earlier days an input?"""
        return any(read.table in self.writes and read.part == self.part for read in self.reads)


def deferred(module: str, name: str) -> Callable[..., Any]:
    """A transform whose module takes seconds to import (learners, statistics): it is imported when it is run."""

    def transform(**arguments: Any) -> Any:
        return getattr(import_module(module), name)(**arguments)

    transform.__qualname__ = transform.__name__ = name
    transform.__module__ = module
    return transform


def target_window(table: Table, span: Span) -> Window | None:
    """The partitions of `table` that a run for `span` replaces; None = the whole table."""
    if table.partition is None:
        return None
    if table.partition == "month":
        return months_in(span)
    return span.start, span.end


@dataclass(frozen=True)
class Pipeline:
    """An ordered tuple of jobs, published together. A job reads inputs, tables written before it, or its own past."""

    name: str
    jobs: tuple[Job, ...]
    grain: Grain
    summary: str

    def __post_init__(self) -> None:
        parts = [(table.name, job.part) for job in self.jobs for table in job.writes]
        written = [name for name, _ in parts]
        twice = sorted({name for name, part in parts if parts.count((name, part)) > 1})
        if twice:
            raise ValueError(f"pipeline {self.name}: more than one job writes {', '.join(twice)}")
        produced: set[str] = set()
        for job in self.jobs:
            own = {table.name for table in job.writes}
            for read in job.reads:
                if read.table.name in written and read.table.name not in produced | own:
                    raise ValueError(f"pipeline {self.name}: {job.name} reads {read.table.name} before it is written")
            produced |= own
