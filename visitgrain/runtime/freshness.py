"""Up to which day each table is complete, from the ledger and the logs; and which promises about that are broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from visitgrain.catalogue.operations import FreshnessLevel
from visitgrain.runtime.job import Job
from visitgrain.runtime.planning import Book, State
from visitgrain.runtime.storage import Store
from visitgrain.span import Span
from visitgrain.tables import TABLES

TOLD = "_breaches.json"


@dataclass(frozen=True)
class Breach:
    """A table that is not complete through the last day of `expected`, which was due at `due`."""

    level: FreshnessLevel
    expected: Span
    due: datetime
    found: date | None

    @property
    def id(self) -> str:
        return f"{self.level.table} {self.expected.end}"

    @property
    def line(self) -> str:
        """What was promised, what is there, whose it is and where it says what to do."""
        found = f"is complete through {self.found}" if self.found else "nothing of it is complete"
        return (
            f"table {self.level.table}: due {self.due:%Y-%m-%d %H:%M} through {self.expected.end}, {found}; "
            f"owner {TABLES[self.level.table].owner}; {self.level.runbook}"
        )


def complete_through(book: Book, jobs: Iterable[Job]) -> dict[str, date]:
    """Last day of each table up to which no known period is touched, failed or left out; input: up to its last day."""
    found: dict[str, date] = {}
    computed: dict[str, list[date]] = {}
    for job in jobs:
        through = _through(job, book)
        for table in job.writes:
            computed.setdefault(table.name, []).append(through)
    for name, ends in computed.items():
        if (end := min(ends)) > date.min:  # a table of several parts is as complete as the latest of them
            found[name] = end
    for entry in book.entries:
        if entry.status == "ok" and entry.table_name not in computed:
            found[entry.table_name] = max(found.get(entry.table_name, date.min), entry.period_end)
    return found


def _through(job: Job, book: Book) -> date:
    end = date.min
    for period in book.periods(job):
        gap = end != date.min and period.start != end + timedelta(days=1)
        if gap or book.state(job, period) != State.COMPLETE:
            break
        end = period.end
    return end


def breaches(levels: Iterable[FreshnessLevel], through: Mapping[str, date], now: datetime, zone: str) -> list[Breach]:
    """The promises that are broken `now`."""
    found = []
    for level in levels:
        expected = level.expected(now, zone)
        end = through.get(level.table)
        if end is None or end < expected.end:
            found.append(Breach(level, expected, level.due(expected, zone), end))
    return found


def untold(store: Store, found: Sequence[Breach]) -> list[Breach]:
    """Those that nobody was told of yet."""
    told: dict[str, Any] = store.read_json(TOLD) or {}
    return [breach for breach in found if breach.id not in told]


def remember(store: Store, found: Sequence[Breach], now: datetime) -> None:
    """All of `found` are told; what is no breach any more is forgotten. To be called once they were told."""
    told: dict[str, Any] = store.read_json(TOLD) or {}
    store.write_json(TOLD, {breach.id: told.get(breach.id, now.isoformat()) for breach in found})
