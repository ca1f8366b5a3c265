"""The run ledger: one row per job run and written table; the same in a result file per run, for scripts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import visitgrain
from visitgrain.runtime.records import records
from visitgrain.runtime.storage import Store
from visitgrain.tables.privacy import RETENTION_PROOFS
from visitgrain.tables.runs import RUN_LEDGER

if TYPE_CHECKING:
    from visitgrain.runtime.lake import Lake


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of `run_ledger`; fields and order are the table's columns.

    What did not read tables (ingest) has neither versions nor hashes of inputs. A ledger of an earlier version has no
    hashes either: what it tells of counts as never run.
    """

    run_id: str
    job: str
    table_name: str
    period_start: date
    period_end: date
    status: str
    code_version: str
    catalogue_hash: str
    input_versions: dict[str, int] = field(default_factory=dict)
    input_hashes: dict[str, str] = field(default_factory=dict)
    output_version: int | None
    rows_in: int | None
    outcomes: dict[str, int]
    notes: dict[str, int] = field(default_factory=dict)
    rows_out: int | None
    content_hash: str | None
    error: str | None = None
    started_at: datetime
    seconds: float


class Ledger:
    """Reads need no Spark."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.recorded: list[Entry] = []  # by this process

    def entries(self) -> list[Entry]:
        """All rows, oldest first; none when nothing ran yet."""
        rows = records(self._store, RUN_LEDGER)
        return sorted((Entry(**row) for row in rows), key=lambda entry: entry.started_at)

    def kept_from(self) -> dict[str, date]:
        """By table that lost its old rows to `retain`: the first day that is still there."""
        found: dict[str, date] = {}
        for row in records(self._store, RETENTION_PROOFS):
            found[row["table_name"]] = max(found.get(row["table_name"], date.min), row["kept_from"])
        return found

    def write_result(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Add `entries` to `_runs/<run_id>.json`: what a script reads when only the exit code reached it.

        The status is that of the last attempts: a run that was continued may end well.
        """
        name = f"_runs/{run_id}.json"
        listed = [*(self._store.read_json(name) or {"entries": []})["entries"], *map(asdict, entries)]
        last = {(e["job"], e["table_name"], str(e["period_start"])): e["status"] for e in listed}
        status = "failed" if "failed" in last.values() else "ok"
        self._store.write_json(name, {"run_id": run_id, "status": status, "entries": listed})

    def record(self, lake: Lake, entries: Sequence[Entry]) -> None:
        """Append `entries` in one commit."""
        if entries:
            lake.append(RUN_LEDGER, [vars(entry) for entry in entries], run_id=entries[0].run_id)
            self.recorded += entries


@cache
def code_version() -> str:
    """Version and hash of the code that computes: a changed formula is another version, released or not."""
    package = Path(visitgrain.__file__).parent
    digest = hashlib.blake2b(digest_size=4)
    for folder in (package, package.parent / "jobs", package.parent / "pipelines"):
        for file in sorted(folder.rglob("*.py")):
            digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return f"{visitgrain.__version__}+{digest.hexdigest()}"
