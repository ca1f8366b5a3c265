"""A table's transaction log without Spark: its newest version, its files, damage; creating it, committing to it.

Whoever reads asks `verified_version` and `snapshot`, which compare the log with what was acknowledged (see `receipts`).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction

from visitgrain.errors import GateRefused, Locked
from visitgrain.runtime import faults
from visitgrain.runtime.content import Content
from visitgrain.runtime.receipts import Receipt, how_to_repair, read_receipt, state_of, write_receipt
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")
NO_VERSION = -1
STATE = "visitgrainState"  # in the commit info: what `state_of` says of the files that the commit leaves
READER_VERSION = 1  # every engine reads it; see the compatibility profile
WRITER_VERSION = 2  # the lowest that keeps NOT NULL


def newest_version(store: Store, table: Table) -> int:
    """NO_VERSION when the table does not exist."""
    return _newest(store.sizes(f"{table.name}/_delta_log"))


@dataclass(frozen=True)
class Commits:
    """What a log holds: when each commit file was written, by version; and the versions of its checkpoints."""

    written: dict[int, datetime]
    checkpoints: frozenset[int]


def commits(store: Store, table: Table) -> Commits:
    found = store.listing(f"{table.name}/_delta_log")
    written = {int(m[1]): time_ for name, (_, time_) in found.items() if (m := _COMMIT.fullmatch(name))}
    return Commits(written, frozenset(int(m[1]) for m in map(_CHECKPOINT.fullmatch, found) if m))


def verified_version(store: Store, table: Table) -> int:
    """The newest version, after comparing the log with the last receipt. Raises GateRefused when they disagree."""
    sizes = store.sizes(f"{table.name}/_delta_log")
    newest = _newest(sizes)
    if damaged := empty_commits(sizes, newest):
        raise GateRefused(
            f"table {table.name}: empty commit file {', '.join(f'{version:020}.json' for version in damaged)} in "
            f"{store.path(table.name, '_delta_log')}; rows are missing. {how_to_repair(store, table)}"
        )
    receipt = read_receipt(store, table)
    if receipt and newest < receipt.version:
        raise GateRefused(
            f"table {table.name}: run {receipt.run_id} was acknowledged as version {receipt.version}, the newest "
            f"found is {newest if newest >= 0 else 'none'}. {how_to_repair(store, table)}"
        )
    return newest


def empty_commits(sizes: Mapping[str, int], until: int) -> list[int]:
    """Commits of a log (its files by size) that hold nothing, of those that the version `until` is read from."""
    checkpoints = (int(m[1]) for m in map(_CHECKPOINT.fullmatch, sizes) if m)
    checkpoint = max((version for version in checkpoints if version <= until), default=NO_VERSION)
    empty = [int(m[1]) for name, size in sizes.items() if size == 0 and (m := _COMMIT.fullmatch(name))]
    return sorted(version for version in empty if checkpoint < version <= until)


@dataclass(frozen=True)
class DataFile:
    """A file of a version of a table. `path` is relative to the table; `partition` None = unpartitioned."""

    path: str
    bytes: int
    rows: int
    partition: date | None

    @property
    def content(self) -> Content:
        return Content.named(self.path)

    @property
    def part(self) -> str:
        """The part of the table that the file belongs to, as its name tells."""
        return part_of(self.path)


def of_part(files: Iterable[DataFile], part: str | None) -> list[DataFile]:
    """Those of this part of the table; None = all."""
    return [file for file in files if part in (None, file.part)]


def paths_of(files: Iterable[DataFile]) -> frozenset[str]:
    return frozenset(file.path for file in files)


def part_of(path: str) -> str:
    """What the name of a file begins with."""
    return path.rpartition("/")[2].partition("-")[0]


@dataclass(frozen=True)
class Snapshot:
    """A table at one version. `schema_json` is how Spark writes a schema as JSON."""

    version: int
    reader_version: int
    schema_json: str
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    def only(self, within: Callable[[date], bool] | None, part: str | None = None) -> Snapshot:
        """The files of the partition values for which `within` holds; all of them where there are no partitions.

        With `part` the files of that part.
        """
        kept = [f for f in self.files if within is None or f.partition is None or within(f.partition)]
        return replace(self, files=tuple(of_part(kept, part)))


def snapshot(store: Store, table: Table, version: int) -> Snapshot:
    """What the table is at `version`. Raises GateRefused when its log cannot be read, or tells another state than was
    acknowledged."""
    try:
        found = _snapshot(store, table, version)
    except (DeltaError, KeyError, ValueError) as error:
        first = next(iter(str(error).splitlines()), "")
        raise GateRefused(
            f"table {table.name}: the log does not tell version {version} ({first}). {how_to_repair(store, table)}"
        ) from error
    _check_state(store, table, found)
    return found


def _snapshot(store: Store, table: Table, version: int) -> Snapshot:
    partition = table.partition
    log = DeltaTable(store.path(table.name), version=version)
    names = ["path", "size_bytes", "num_records", *([f"partition.{partition}"] if partition else [])]
    actions = log.get_add_actions(flatten=True)
    columns = [actions.column(name).to_pylist() for name in names] if actions.num_rows else []
    for path, _, rows, *_ in zip(*columns, strict=True):
        if rows is None:
            raise GateRefused(
                f"table {table.name}: file {path} was committed without statistics, so its rows are not known; another "
                "program wrote it. Delete the table's folder and run its job again"
            )
    files = [DataFile(*row, *([] if partition else [None])) for row in zip(*columns, strict=True)]
    return Snapshot(version, log.protocol().min_reader_version, log.schema().to_json(), tuple(files))


def _check_state(store: Store, table: Table, found: Snapshot) -> None:
    """`found` is what its own commit and its receipt say. Commits of other programs say nothing, but are whole."""
    written = _commit_info(store, table, found.version)
    said = {(written["userMetadata"], written[STATE])} if written and STATE in written else set()
    receipt = read_receipt(store, table)
    if receipt and receipt.state and receipt.version == found.version:
        said.add((receipt.run_id, receipt.state))
    seen = state_of(found.files) if said else None
    for run_id, state in said:
        if state != seen:
            told = f", {receipt.rows} acknowledged" if receipt and receipt.version == found.version else ""
            raise GateRefused(
                f"table {table.name}: the log of version {found.version} tells {found.rows} rows in "
                f"{len(found.files)} files{told}; that is not what run {run_id} wrote. {how_to_repair(store, table)}"
            )
    if not said and receipt and receipt.version < found.version:
        snapshot(store, table, receipt.version)  # what was acknowledged is still there


def files(store: Store, table: Table) -> tuple[DataFile, ...]:
    """Of the newest version; none when the table does not exist."""
    version = verified_version(store, table)
    return snapshot(store, table, version).files if version != NO_VERSION else ()


def files_at(store: Store, table: Table, version: int) -> tuple[DataFile, ...]:
    """Of an earlier version; none when its log is gone, so that nobody can read it any more."""
    log = commits(store, table)
    return snapshot(store, table, version).files if version in {*log.written, *log.checkpoints} else ()


def commit(
    store: Store,
    table: Table,
    *,
    upon: Snapshot,
    added: Sequence[dict[str, Any]],
    removed: Sequence[DataFile],
    run_id: str,
    data_change: bool = True,
) -> int:
    """Make `added` (add actions of the protocol) replace `removed` of `upon`, in one transaction; leave a receipt.

    Returns the new version. Without `data_change` the rows stay what they were, in other files.

    Raises Locked when somebody else committed meanwhile: the table's lock is held, so it was not visitgrain.
    """
    log = DeltaTable(store.path(table.name))
    if log.version() != upon.version:
        raise Locked(f"table {table.name}: another program committed version {log.version()}; stop it, run again")
    gone = set(removed)
    after = [*(f for f in upon.files if f not in gone), *(_data_file(table, action) for action in added)]
    receipt = Receipt(table.name, upon.version + 1, sum(f.rows for f in after), run_id, state_of(after))
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        AddAction(a["path"], a["size"], a["partitionValues"], a["modificationTime"], data_change, a["stats"])
        for a in added
    ]
    actions += [
        RemoveAction(f.path, data_change, now, f.bytes, {table.partition: str(f.partition)} if table.partition else {})
        for f in removed
    ]
    try:
        log.create_write_transaction(
            actions,
            mode="append",  # with remove actions beside the added ones: a replacement of exactly these files
            schema=log.schema(),
            partition_by=[table.partition] if table.partition else None,
            commit_properties=CommitProperties(
                custom_metadata={"userMetadata": run_id, STATE: str(receipt.state)}, max_commit_retries=0
            ),
        )
        faults.reached("lost-response")
    except Exception as error:
        if not _landed(store, table, receipt):
            if isinstance(error, CommitFailedError):
                message = f"table {table.name}: another program committed meanwhile; stop it, run again"
                raise Locked(message) from error
            raise
    faults.reached("before-receipt")
    write_receipt(store, table, receipt)
    return receipt.version


def acknowledge(store: Store, table: Table, *, version: int, run_id: str) -> None:
    """Leave a receipt of a version that another program's commit made. `commit` leaves its own."""
    found = _snapshot(store, table, version)
    write_receipt(store, table, Receipt(table.name, version, found.rows, run_id, state_of(found.files)))


def _landed(store: Store, table: Table, receipt: Receipt) -> bool:
    """Is the commit in the log, though whoever wrote it was told otherwise?"""
    found = _commit_info(store, table, receipt.version) or {}
    return (found.get("userMetadata"), found.get(STATE)) == (receipt.run_id, receipt.state)


def _data_file(table: Table, action: Mapping[str, Any]) -> DataFile:
    """The file of an add action."""
    value = action["partitionValues"][table.partition] if table.partition else None
    rows = json.loads(action["stats"])["numRecords"]
    return DataFile(action["path"], action["size"], rows, date.fromisoformat(value) if value else None)


def _newest(sizes: dict[str, int]) -> int:
    numbers = [int(m[1]) for name in sizes if (m := _COMMIT.fullmatch(name) or _CHECKPOINT.fullmatch(name))]
    return max(numbers, default=NO_VERSION)


def actions(store: Store, table: Table, version: int) -> list[dict[str, Any]] | None:
    """Of one commit; None when its file is gone (log clean-up)."""
    text = store.read_text(f"{table.name}/_delta_log/{version:020}.json")
    try:
        return None if text is None else [json.loads(line) for line in text.splitlines() if line]
    except ValueError as error:
        name = f"{version:020}.json"
        raise GateRefused(
            f"table {table.name}: commit file {name} is damaged: {error}. {how_to_repair(store, table)}"
        ) from None


def _commit_info(store: Store, table: Table, version: int) -> dict[str, Any] | None:
    """What a commit says about itself; None when its file is gone (log clean-up). Raises GateRefused on damage."""
    found = actions(store, table, version)
    if found is None:
        return None
    try:
        return dict(next(action["commitInfo"] for action in found if "commitInfo" in action))
    except (TypeError, StopIteration):
        raise GateRefused(
            f"table {table.name}: the commit file of version {version} is damaged. {how_to_repair(store, table)}"
        ) from None
