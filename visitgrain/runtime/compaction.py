"""Small files of a partition become few, without a change of a row: their names still tell the same content.

The ledger and the planner know a table by the content of its partitions, which file names tell. So files are rewritten
by the writer that wrote them, and what came out is compared with what went in before anybody sees it: a damaged file
is found here, not copied. Spark's OPTIMIZE would name files otherwise, and every later period would be computed again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa

from visitgrain.arrow.rows import FilePart, read_part
from visitgrain.catalogue.operations import MaintenancePolicy
from visitgrain.errors import GateRefused
from visitgrain.runtime import delta_log
from visitgrain.runtime.content import Content
from visitgrain.runtime.delta_log import DataFile
from visitgrain.runtime.file_writer import FileWriter
from visitgrain.runtime.lake import Lake
from visitgrain.tables import Table


@dataclass(frozen=True)
class Rewritten:
    """Files that hold the rows of `group`: add actions of the protocol, not committed yet."""

    group: tuple[DataFile, ...]
    added: list[dict[str, Any]]


def worthwhile(files: Iterable[DataFile], policy: MaintenancePolicy) -> list[tuple[DataFile, ...]]:
    """Groups of small files, each of one partition and part, that become one file of the target size."""
    small: dict[tuple[date | None, str], list[DataFile]] = defaultdict(list)
    for file in files:
        if file.bytes < policy.small_bytes and file.content.rows == file.rows:  # named by the suite's own writer
            small[file.partition, file.part].append(file)
    return [
        tuple(group)
        for of_place in small.values()
        if len(of_place) >= policy.least_files
        for group in _packed(sorted(of_place, key=lambda file: file.path), policy.target_bytes)
        if len(group) > 1
    ]


def compact(lake: Lake, table: Table, policy: MaintenancePolicy, *, run_id: str) -> int:
    """Bring small files of `table` together; returns how many files fewer it has.

    Its lock is held for the commit only: what a job replaced meanwhile stays as the job left it.
    Raises GateRefused when a file does not hold what its name says; then nothing has changed.
    """
    groups = worthwhile(lake.data_files(table), policy)
    if not groups:
        return 0
    writer = lake.writer(table)
    done: list[Rewritten] = []
    try:
        for group in groups:
            done.append(_rewritten(lake, table, group, writer))
        return _commit(lake, table, done, run_id)
    except BaseException:
        _remove(lake, table, done)
        raise


def _packed(files: Sequence[DataFile], most_bytes: int) -> Iterator[list[DataFile]]:
    group: list[DataFile] = []
    for file in files:
        if group and sum(f.bytes for f in group) + file.bytes > most_bytes:
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def _rewritten(lake: Lake, table: Table, group: tuple[DataFile, ...], writer: FileWriter) -> Rewritten:
    """The rows of `group` in new files. Raises GateRefused when they are not those that its names tell."""
    names = writer.schema.names

    def rows(_: object) -> Iterator[pa.Table]:
        for file in group:
            place = f"{lake.path(table)}/{file.path}"
            try:
                yield read_part(FilePart(0, place, file.partition, 0, 1, file.rows, 0), names)
            except (OSError, pa.ArrowException, KeyError) as error:
                raise GateRefused(f"table {table.name}: {place} cannot be read: {error}. {_FIX}") from error

    report = replace(writer, function=rows, part=group[0].part).write(iter(()))
    found = Rewritten(group, report.files)
    if report.content != sum((file.content for file in group), Content()):
        _remove(lake, table, [found])
        paths = ", ".join(file.path for file in group)
        raise GateRefused(
            f"table {table.name}: the rows of {paths} are not those that were written: a file is damaged, or was "
            f"written before a column was added. {_FIX}"
        )
    return found


_FIX = "Nothing was changed. Restore an earlier version (docs/runbook.md), or delete the table and run its job again"


def _commit(lake: Lake, table: Table, done: Sequence[Rewritten], run_id: str) -> int:
    with lake.lock(table):
        held = delta_log.paths_of(lake.data_files(table))
        kept = [one for one in done if delta_log.paths_of(one.group) <= held and len(one.added) < len(one.group)]
        _remove(lake, table, [one for one in done if one not in kept])
        added = [file for one in kept for file in one.added]
        removed = [file for one in kept for file in one.group]
        if kept:
            upon = delta_log.snapshot(lake.store, table, lake.version(table))
            delta_log.commit(
                lake.store, table, upon=upon, added=added, removed=removed, run_id=run_id, data_change=False
            )
    return len(removed) - len(added)


def _remove(lake: Lake, table: Table, done: Iterable[Rewritten]) -> None:
    for one in done:
        for file in one.added:
            lake.store.remove_file(f"{table.name}/{file['path']}")
