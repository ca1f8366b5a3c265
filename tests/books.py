"""All that planning looks at, without a lake: contents of tables, and the books of the runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from visitgrain.arrow.changes import Tie
from visitgrain.runtime.delta_log import DataFile, paths_of
from visitgrain.runtime.job import Job
from visitgrain.runtime.ledger import Entry, code_version
from visitgrain.runtime.planning import Book, Inputs
from visitgrain.runtime.staging import Rewrite
from visitgrain.span import Span
from visitgrain.tables import Table


class Books:
    """A stand-in for a Context, its lake and its ledger. Subclasses say which files the tables have."""

    catalogue: Any  # has a `hash`
    run_id, attached = "r", False

    def __init__(self) -> None:
        self.ran: list[Entry] = []
        self.rewrites: dict[Rewrite, Tie] = {}
        self.lake = self.ledger = self

    def data_files(self, table: Table, version: int | None = None) -> list[DataFile]:
        raise NotImplementedError

    def version(self, table: Table) -> int:
        """Newest version; -1 where the table is not there."""
        return -1

    def kept_from(self) -> dict[str, date]:
        return {}

    def rewritten(self, came: Iterable[DataFile], went: Iterable[DataFile]) -> Tie | None:
        return self.rewrites.get((paths_of(came), paths_of(went)))

    def entries(self) -> list[Entry]:
        return self.ran

    @property
    def book(self) -> Book:
        return Book(self.ran, Inputs(self.data_files), catalogue_hash=self.catalogue.hash)

    def record(self, job: Job, span: Span, *, status: str = "ok") -> None:
        """A run of `job` that has just ended."""
        inputs = Inputs(self.data_files)
        entry = Entry(
            run_id="r",
            job=job.name,
            table_name=job.writes[0].name,
            period_start=span.start,
            period_end=span.end,
            status=status,
            code_version=code_version(),
            catalogue_hash=self.catalogue.hash,
            input_versions={read.table.name: v for read in job.reads if (v := self.version(read.table)) >= 0},
            input_hashes={str(period.start): inputs.hash(job, period) for period in span.periods(job.grain)},
            output_version=1,
            rows_in=0,
            outcomes={},
            rows_out=0,
            content_hash="",
            started_at=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=len(self.ran)),
            seconds=1.0,
        )
        self.ran.append(entry)
