"""A table becomes again what it was at an earlier version, also when its log is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from deltalake import DeltaTable

from visitgrain.errors import GateRefused, UsageError
from visitgrain.runtime import delta_log
from visitgrain.runtime.file_check import is_intact
from visitgrain.runtime.lake import Lake
from visitgrain.tables import Table

_FIX = "Take another version, or rebuild the table: docs/runbook.md"


@dataclass(frozen=True)
class Restored:
    """What `restore` did. `set_aside`: the folder below the lake to which damaged commits went; None = none were."""

    version: int
    rows: int
    set_aside: str | None


def restore(lake: Lake, table: Table, to: int, *, run_id: str) -> Restored:
    """Make `table` what it was at version `to`. Where the log is whole that is a new version, and nothing is lost.

    Where it is damaged, commits after `to` are set aside, and the next write has the number `to` + 1 again.
    Raises UsageError when there is no such version, GateRefused when its files are not all there.
    """
    with lake.lock(table):
        newest = lake.version(table)
        if not 0 <= to <= newest:
            raise UsageError(f"table {table.name}: no version {to}; there are 0 to {newest}")
        files = _files(lake, table, to)
        if _is_whole(lake, table):
            set_aside = None
            DeltaTable(lake.path(table)).restore(to)
        else:
            set_aside = _set_aside(lake, table, to)
        version = lake.version(table)
        delta_log.acknowledge(lake.store, table, version=version, run_id=run_id)
    return Restored(version, sum(file.rows for file in files), set_aside)


def _files(lake: Lake, table: Table, version: int) -> tuple[delta_log.DataFile, ...]:
    """Of the version, all of them as large as they were written."""
    if empty := delta_log.empty_commits(lake.store.sizes(f"{table.name}/_delta_log"), version):
        raise GateRefused(
            f"table {table.name}: version {version} is read from version {empty[0]}, which is empty. {_FIX}"
        )
    files = delta_log.snapshot(lake.store, table, version).files
    if missing := [file.path for file in files if not is_intact(lake.store, table, file)]:
        more = f", and {len(missing) - 1} more files" if len(missing) > 1 else ""
        raise GateRefused(
            f"table {table.name}: version {version} needs {missing[0]}{more}, which is gone or damaged. {_FIX}"
        )
    return files


def _is_whole(lake: Lake, table: Table) -> bool:
    try:
        delta_log.snapshot(lake.store, table, delta_log.verified_version(lake.store, table))
    except GateRefused:
        return False
    return True


def _set_aside(lake: Lake, table: Table, to: int) -> str | None:
    """Move what the log holds of versions after `to` to another folder, which it returns; nothing is deleted."""
    moved = False
    log, folder = f"{table.name}/_delta_log", f"_damaged/{table.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for name in lake.store.sizes(log):
        number = name.partition(".")[0].lstrip(".")
        if (number.isdigit() and int(number) > to) or name == "_last_checkpoint":  # it is only a hint where to begin
            lake.store.move_file(f"{log}/{name}", f"{folder}/{name}")
            moved = True
    return folder if moved else None
