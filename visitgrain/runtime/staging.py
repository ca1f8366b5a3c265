"""Rows on their way into a table: written to files and checked, not yet committed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from visitgrain.arrow.rows import Function
from visitgrain.errors import GateRefused
from visitgrain.runtime.contract import KEPT, arrow_schema
from visitgrain.runtime.file_writer import FileWriter, Report
from visitgrain.runtime.partitions import Partitions
from visitgrain.runtime.statistics import statistics_columns
from visitgrain.tables import Table


@dataclass(frozen=True)
class Staged:
    """What the tasks of a write reported. `replaces` None = the rows are added to those that are there."""

    table: Table
    report: Report
    replaces: Partitions | None
    upon: int  # version of the table before its rows were computed; -1 = it was not there

    @classmethod
    def of(cls, table: Table, reports: Iterable[Report], replaces: Partitions | None, upon: int) -> Staged:
        """The reports of all tasks as one."""
        total = Report()
        for report in reports:
            total.add(report)
        return cls(table, total, replaces, upon)

    @property
    def outcomes(self) -> dict[str, int]:
        """Input rows by what became of them ('kept' alone without reserved columns)."""
        return {name: rows for name, rows in sorted(self.report.outcomes.items()) if rows or name == KEPT} or {KEPT: 0}

    def check(self, outcomes: Sequence[str]) -> None:
        """Raises GateRefused when the rows may not enter the table. `outcomes`: those declared beside 'kept'."""
        report = self.report
        problems = [*_nulls(report), *_undeclared(report, outcomes), *_outside(self.table, report, self.replaces)]
        if problems:
            raise GateRefused(f"table {self.table.name}: {'; '.join(problems)}. Nothing was changed")


def writer_of(table: Table, root: str, codec: str, function: Function | None) -> FileWriter:
    """What writes the rows of `table` in the workers."""
    return FileWriter(
        root=root,
        schema=arrow_schema(table),
        not_null=tuple(column.name for column in table.columns if not column.nullable),
        statistics=statistics_columns(table),
        partition=table.partition,
        codec=codec,
        function=function,
    )


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
    values = {file["partitionValues"][table.partition] for file in report.files}
    if not all(replaces(date.fromisoformat(value)) for value in values):
        yield (
            f"rows outside the replaced {table.partition} values (the job writes days outside its span; see "
            "Job.rewrites_before)"
        )
