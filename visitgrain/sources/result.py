"""What an ingest run did, table by table; the conservation law is checked here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Row

from visitgrain.errors import GateRefused
from visitgrain.sources.mapping import NOTES, REASON, RULE
from visitgrain.sources.settling import CONTRADICTING, OUTCOME, STORED


@dataclass(frozen=True)
class TableResult:
    """`outcomes` counts every row read once.

    kept, late, duplicate, conflicting, superseded, filtered:<rule> and quarantined:<reason>. `notes` counts good rows
    by what was noticed about them: rescued (fields that nobody reads), skewed (device clock), excluded:<why>.
    """

    table: str
    rows_read: int
    outcomes: dict[str, int]
    notes: dict[str, int] = field(default_factory=dict)
    version: int | None = None
    content_hash: str | None = None
    days: tuple[date, date] | None = None

    def assert_conserved(self) -> None:
        """Raises GateRefused when a row got lost or was counted twice."""
        accounted = sum(self.outcomes.values())
        if accounted != self.rows_read:
            listed = ", ".join(f"{name} {rows}" for name, rows in sorted(self.outcomes.items()))
            raise GateRefused(
                f"table {self.table}: {self.rows_read} rows read, {accounted} accounted for ({listed}); "
                "a file may have changed while it was read: run it again"
            )


@dataclass(frozen=True)
class IngestResult:
    """`refused` are files the schema gate kept out; `unread` columns that no mapping reads (new fields of the feed)."""

    source: str
    load_id: str
    files: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    tables: tuple[TableResult, ...] = field(default=())


def fates(counts: Iterable[Row]) -> dict[str, int]:
    """Filtered and quarantined rows by outcome name, from rows of (_rule, _reason, rows)."""
    named: dict[str, int] = {}
    for row in counts:
        name = f"filtered:{row[RULE]}" if row[RULE] else f"quarantined:{row[REASON]}" if row[REASON] else None
        if name:
            named[name] = named.get(name, 0) + row["rows"]
    return named


def noticed(counts: Iterable[Row]) -> dict[str, int]:
    """Notes by name, none with zero rows, from rows of `counted`."""
    named: Counter[str] = Counter()
    for row in counts:
        if row[RULE] or row[REASON]:
            continue
        found = row.asDict()
        named.update({note: found.get(note, 0) for note in NOTES})
        if why := found.get("exclusion"):
            named[f"excluded:{why}"] += row["rows"]
    return {note: rows for note, rows in sorted(named.items()) if rows}


def settled_outcomes(counts: Iterable[Row]) -> Mapping[str, int]:
    """New rows of repeated keys by outcome, kept ones left out (the write counts those)."""
    named: dict[str, int] = {}
    for row in counts:
        if not row[STORED] and row[OUTCOME] != "kept":
            name = f"quarantined:{row[OUTCOME]}" if row[OUTCOME] in CONTRADICTING else row[OUTCOME]
            named[name] = named.get(name, 0) + row["rows"]
    return named
