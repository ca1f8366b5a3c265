"""Upkeep of tables: a report, fewer small files, checkpoints, and the end of files and commits that nobody needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median

from visitgrain.catalogue.operations import MaintenancePolicy
from visitgrain.errors import VisitgrainError
from visitgrain.runtime import delta_log
from visitgrain.runtime.compaction import compact, worthwhile
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.log_upkeep import keep_log
from visitgrain.runtime.vacuum import pinned_versions, removable, vacuum
from visitgrain.tables import Table
from visitgrain.tables.runs import TABLE_REPORTS


@dataclass(frozen=True)
class Report:
    """A row of `table_reports`; fields and order are the table's columns."""

    run_id: str
    table_name: str
    reported_at: datetime
    version: int
    versions: int
    written_at: datetime
    rows: int
    files: int
    small_files: int
    bytes: int
    partitions: int
    skew: float
    fewer_files: int = 0
    removed_files: int = 0
    removed_bytes: int = 0


def maintain(
    lake: Lake, tables: Iterable[Table], policy: MaintenancePolicy, *, run_id: str, dry_run: bool, now: datetime
) -> Iterator[Report | VisitgrainError]:
    """Table by table what was found and done, or with `dry_run` would be done; tables that are not there are left out.

    A table that cannot be maintained (locked, damaged) gives its error, and the next one follows.
    """
    pinned = pinned_versions(lake.store, policy.keep_published)
    reports: list[Report] = []
    for table in tables:
        try:
            if not lake.has(table):
                continue
            found = report(lake, table, policy, run_id=run_id, now=now)
            done = _foreseen if dry_run else _done
            found = done(lake, table, policy, pinned.get(table.name, ()), found)
        except VisitgrainError as error:
            yield error
            continue
        reports.append(found)
        yield found
    if reports and not dry_run:
        lake.append(TABLE_REPORTS, [vars(one) for one in reports], run_id=run_id)


def report(lake: Lake, table: Table, policy: MaintenancePolicy, *, run_id: str, now: datetime) -> Report:
    """How `table` lies on disk. Raises GateRefused on damage."""
    files = lake.data_files(table)
    by_partition: Counter[object] = Counter()
    for file in files:
        by_partition[file.partition] += file.bytes
    sizes = list(by_partition.values())
    return Report(
        run_id=run_id,
        table_name=table.name,
        reported_at=now,
        version=lake.version(table),
        versions=len(delta_log.commits(lake.store, table).written),
        written_at=_last_change(lake, table, now),
        rows=sum(file.rows for file in files),
        files=len(files),
        small_files=sum(file.bytes < policy.small_bytes for file in files),
        bytes=sum(sizes),
        partitions=len(sizes),
        skew=round(max(sizes) / median(sizes), 2) if sizes else 1.0,
    )


def _done(lake: Lake, table: Table, policy: MaintenancePolicy, pinned: Collection[int], found: Report) -> Report:
    fewer = compact(lake, table, policy, run_id=found.run_id)
    keep_log(lake, table, policy, pinned, found.reported_at)
    gone = vacuum(lake, table, policy, pinned, found.reported_at)
    return replace(found, fewer_files=fewer, removed_files=len(gone), removed_bytes=sum(gone.values()))


def _foreseen(lake: Lake, table: Table, policy: MaintenancePolicy, pinned: Collection[int], found: Report) -> Report:
    fewer = sum(len(group) - 1 for group in worthwhile(lake.data_files(table), policy))
    gone = removable(lake, table, policy, pinned, found.reported_at)
    return replace(found, fewer_files=fewer, removed_files=len(gone), removed_bytes=sum(gone.values()))


def _last_change(lake: Lake, table: Table, now: datetime) -> datetime:
    """When a version last changed rows; the oldest commit still there where none of them did."""
    written = delta_log.commits(lake.store, table).written
    for version in sorted(written, reverse=True):
        for action in delta_log.actions(lake.store, table, version) or []:
            change = action.get("add") or action.get("remove") or {}
            if change.get("dataChange"):
                return written[version].astimezone(UTC)
    return min(written.values(), default=now).astimezone(UTC)
