"""Rows on their way into a table: written to files and checked, not yet committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from visitgrain.arrow.changes import Tie
from visitgrain.arrow.rows import FilePart, Function, read_part
from visitgrain.errors import GateRefused
from visitgrain.runtime.content import Content, by_partition
from visitgrain.runtime.contract import KEPT, arrow_schema
from visitgrain.runtime.delta_log import DataFile, Snapshot, part_of
from visitgrain.runtime.file_check import is_intact
from visitgrain.runtime.file_writer import FileWriter, Report
from visitgrain.runtime.partitions import Partitions
from visitgrain.runtime.statistics import statistics_columns
from visitgrain.runtime.storage import Store
from visitgrain.runtime.touched import Touched
from visitgrain.tables import Table

Place = tuple[date | None, str]  # partition and part
Rewrite = tuple[frozenset[str], frozenset[str]]  # paths of the files that came, and of those that went


@dataclass(frozen=True)
class Change:
    """The part of a staged write that differs from what is there. `needless` files hold rows that are there already."""

    added: list[dict[str, Any]]
    removed: list[DataFile]
    needless: list[dict[str, Any]]
    partitions: tuple[date | None, ...]


@dataclass(frozen=True)
class Staged:
    """What the tasks of a write reported, as one. `replaces` None = the rows are added to those that are there."""

    table: Table
    report: Report
    replaces: Partitions | None
    upon: int  # version of the table before its rows were computed; -1 = it was not there
    part: str | None = None  # only files of this part are replaced
    left: tuple[DataFile, ...] = ()  # of the partitions to replace, that stay as they are
    touched: Touched | None = None  # rows of other keys are those that were there

    @property
    def outcomes(self) -> dict[str, int]:
        """Input rows by what became of them ('kept' alone without reserved columns)."""
        return {name: rows for name, rows in sorted(self.report.outcomes.items()) if rows or name == KEPT} or {KEPT: 0}

    @property
    def content(self) -> Content:
        """Of all rows of the replaced partitions."""
        return sum((file.content for file in self.left), self.report.content)

    def rows(self, store: Store) -> pa.Table:
        """All rows that were written, the partition column with them."""
        table, found = self.table, []
        for number, file in enumerate(self.report.files):
            part = FilePart(number, store.path(table.name, file["path"]), _value(table, file), 0, 1, 0, 0)
            found.append(read_part(part, table.column_names))
        return pa.concat_tables(found) if found else arrow_schema(table).empty_table()

    def replaced(self, there: Snapshot) -> list[DataFile]:
        """Of what is there the files of the partitions to replace; none when rows are added."""
        files = there.only(self.replaces, self.part).files if self.replaces else ()
        return [file for file in files if file not in self.left]

    def against(self, held: Sequence[DataFile], store: Store) -> Change:
        """What committing changes, when `held` are the files of the partitions to replace."""
        new = by_partition((_place(self.table, file), Content.named(file["path"])) for file in self.report.files)
        old = by_partition(((file.partition, file.part), file.content) for file in held)
        damaged = {(f.partition, f.part) for f in held if not is_intact(store, self.table, f)}
        same = {place for place in new if new[place] == old.get(place)} - damaged
        return Change(
            added=[file for file in self.report.files if _place(self.table, file) not in same],
            removed=[file for file in held if (file.partition, file.part) not in same],
            needless=[file for file in self.report.files if _place(self.table, file) in same],
            partitions=tuple(sorted({value for value, _ in {*new, *old} - same}, key=str)),
        )

    def rewritten(self, change: Change) -> dict[Rewrite, Tie]:
        """Per touched day and part that was there: which of the rows the change may have made others."""
        if not self.touched:
            return {}
        came = _by_place((_place(self.table, file), file["path"]) for file in change.added)
        went = _by_place(((file.partition, file.part), file.path) for file in change.removed)
        return {
            (came.get(place, frozenset()), went.get(place, frozenset())): tie
            for place in {*came, *went}
            if (tie := self.touched.tie(place[0]))
        }

    def check(self, outcomes: Sequence[str]) -> None:
        """Raises GateRefused when the rows may not enter the table. `outcomes`: those declared beside 'kept'."""
        report = self.report
        problems = [
            *_nulls(report),
            *_undeclared(report, outcomes),
            *_outside(self.table, report, self.replaces),
            *_without_part(self.table, report),
        ]
        if problems:
            raise GateRefused(f"table {self.table.name}: {'; '.join(problems)}. Nothing was changed")


def writer_of(table: Table, root: str, codec: str, function: Function | None, part: str | None = None) -> FileWriter:
    """What writes the rows of `table` in the workers."""
    return FileWriter(
        root=root,
        schema=arrow_schema(table),
        not_null=tuple(column.name for column in table.columns if not column.nullable),
        statistics=statistics_columns(table),
        hashed=tuple(column.name for column in table.columns if not column.provenance),
        partition=table.partition,
        codec=codec,
        function=function,
        part=part or "part",
    )


def _by_place(paths: Iterable[tuple[Place, str]]) -> dict[Place, frozenset[str]]:
    found: dict[Place, set[str]] = {}
    for place, path in paths:
        found.setdefault(place, set()).add(path)
    return {place: frozenset(of_place) for place, of_place in found.items()}


def _place(table: Table, file: Mapping[str, Any]) -> Place:
    return _value(table, file), part_of(file["path"])


def _value(table: Table, file: Mapping[str, Any]) -> date | None:
    return date.fromisoformat(file["partitionValues"][table.partition]) if table.partition else None


def _nulls(report: Report) -> Iterable[str]:
    if report.nulls:
        names = ", ".join(sorted(report.nulls))
        yield f"null in column {names}, declared never null (quarantine such rows or declare the column nullable)"


def _undeclared(report: Report, outcomes: Sequence[str]) -> Iterable[str]:
    undeclared = sorted(set(report.outcomes) - {KEPT, *outcomes})
    if undeclared:
        yield f"outcome {undeclared[0]!r} is not declared (add it to Job.outcomes)"


def _outside(table: Table, report: Report, replaces: Partitions | None) -> Iterable[str]:
    if replaces is None or table.partition is None:
        return
    values = {_value(table, file) for file in report.files}
    if not all(replaces(value) for value in values if value):
        yield f"rows outside the replaced {table.partition} values: a job writes the days of its span only"


def _without_part(table: Table, report: Report) -> Iterable[str]:
    strange = sorted({part_of(file["path"]) for file in report.files} - set(table.parts))
    if table.parts and strange:
        allowed = ", ".join(table.parts)
        yield f"rows of part {strange[0]!r}; its parts are {allowed} (set Job.part, or give each row one)"
