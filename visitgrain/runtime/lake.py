"""The tables: read, replaced and appended to, with the schema contract, receipts and locks. The only I/O on tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from visitgrain.arrow.changes import Tie
from visitgrain.arrow.rows import ArrowRows, Function, TableFiles
from visitgrain.errors import ConfigError, GateRefused, InputMissing, Locked
from visitgrain.runtime import contract, delta_log, partitions
from visitgrain.runtime.contract import check_columns, check_readable, conformed, declared_schema, stored_schema
from visitgrain.runtime.creation import create
from visitgrain.runtime.file_check import check_files, is_intact
from visitgrain.runtime.file_writer import FileWriter, Report, written_by
from visitgrain.runtime.job import Window
from visitgrain.runtime.listing import listed
from visitgrain.runtime.locks import TableLocks, lock_folder
from visitgrain.runtime.partitions import Partitions
from visitgrain.runtime.side_by_side import side_by_side
from visitgrain.runtime.staging import Rewrite, Staged, writer_of
from visitgrain.runtime.storage import Store
from visitgrain.runtime.touched import Touched, rows_that_stay
from visitgrain.tables import Table

DESCRIPTION = "_visitgrain.json"
CODEC = "spark.sql.parquet.compression.codec"


@dataclass(frozen=True)
class Written:
    """A committed write."""

    version: int
    rows: int
    content_hash: str
    outcomes: dict[str, int]
    changed: tuple[date | None, ...]  # partition values whose rows are others than before; None of an unpartitioned one


class Lake:
    """Every table at `<root>/<name>`, in Delta's compatibility profile (reader protocol 1).

    Without Spark (None) its files, its log and records can be looked at and written, compressed by `codec`.
    Raises ConfigError when the lake was made for another zone: its local days would mean something else.
    """

    def __init__(
        self, spark: SparkSession | None, root: str, zone: str, *, lock_wait_s: float = 60.0, codec: str = "snappy"
    ) -> None:
        # Asked once: the ledger of a run is written, too, when the JVM has gone in its midst.
        self._spark, self._codec = spark, str(spark.conf.get(CODEC)) if spark else codec
        self.store = Store(root)
        self.zone = zone
        self._rewritten: dict[Rewrite, Tie] = {}
        self._snapshots: dict[str, delta_log.Snapshot] = {}
        self._looked_at: set[tuple[str, str]] = set()  # table and path of files that are intact
        self.locks = TableLocks(lock_folder(self.store), wait_s=lock_wait_s)
        known = self.store.read_json(DESCRIPTION)
        if known is not None and known["zone"] != zone:
            raise ConfigError(
                f"{self.store.path(DESCRIPTION)}: the days of this lake are {known['zone']} days, the setting zone is "
                f"{zone!r}; set zone: {known['zone']} (or --set zone={known['zone']}), or use another lake"
            )

    @property
    def spark(self) -> SparkSession:
        assert self._spark is not None, "this lake was opened without Spark"
        return self._spark

    def has(self, table: Table) -> bool:
        return delta_log.verified_version(self.store, table) != delta_log.NO_VERSION

    def version(self, table: Table) -> int:
        """Newest version; -1 when the table does not exist."""
        return delta_log.newest_version(self.store, table)

    def path(self, table: Table) -> str:
        return self.store.path(table.name)

    def read(
        self, table: Table, window: Window | None = None, *, optional: bool = False, part: str | None = None
    ) -> DataFrame:
        """Declared columns in declared order, of the partitions within `window` (both ends included).

        A missing table is InputMissing, or an empty frame when `optional`. Raises GateRefused on damage, on a protocol
        other engines cannot read, and when the stored columns are not the declared ones.
        """
        found = self._opened(table, window, optional=optional, part=part)
        if found is None:
            return self.empty(table)
        # The log names the files: asking Spark's Delta for them costs a second per new version of a table.
        paths = [f"{self.path(table)}/{file.path}" for file in found.files]
        reader = self.spark.read.schema(stored_schema(found.schema_json)).option("basePath", self.path(table))
        return conformed(reader.parquet(*paths), table, edge="stored")

    def empty(self, table: Table) -> DataFrame:
        return self.spark.createDataFrame([], declared_schema(table))

    def files(
        self,
        table: Table,
        window: Window | None = None,
        *,
        optional: bool = False,
        part: str | None = None,
        columns: Sequence[str] = (),
    ) -> TableFiles:
        """The files of what `read` reads; large ones in parts. Raises what `read` raises.

        `columns`: those that will be read, () = all; where they are few, a task is given more files.
        """
        found = self._opened(table, window, optional=optional, part=part)
        if found is None:
            return listed(self.spark, self.path(table), ())
        check_columns(stored_schema(found.schema_json), table, edge="stored")
        share = len(columns or table.columns) / len(table.columns)
        return listed(self.spark, self.path(table), found.files, share=share)

    def data_files(self, table: Table, version: int | None = None) -> Sequence[delta_log.DataFile]:
        """All files of the newest version, or of another one; none when the table does not exist."""
        if version is not None:
            return delta_log.snapshot(self.store, table, version).files
        found = self._found(table)
        return found.files if found else ()

    def intact(self, table: Table, files: Iterable[delta_log.DataFile]) -> bool:
        """Are they all what was written?"""
        return all(is_intact(self.store, table, file) for file in files)

    def rows(self, table: Table, window: Window | None = None, *, part: str | None = None) -> int:
        """Rows of what `read` reads, as its commits say; 0 when the table does not exist."""
        found = self._found(table, window, part)
        return found.rows if found else 0

    def stage(
        self,
        table: Table,
        rows: DataFrame | ArrowRows,
        *,
        replaces: Partitions | None,
        outcomes: Sequence[str] = (),
        spread: bool = True,
        part: str | None = None,
        touched: Touched | None = None,
    ) -> Staged:
        """Write `rows` to files of `table`, for `commit` to make them its rows.

        With `touched`, `rows` that are local are beside those of all other keys, which stay.

        `outcomes` names the values of `_outcome` beside 'kept'. Raises GateRefused for another outcome, for a null
        where none may be, for rows outside of the replaced partitions, and when the columns of the rows, or of the
        table as an earlier version of this program left it, are not the declared ones.
        """
        there = self._found(table)
        if there:
            check_columns(stored_schema(there.schema_json), table, edge="stored")
        writer = self.writer(table, rows.function if isinstance(rows, ArrowRows) else None, part)
        if isinstance(rows, DataFrame):
            rows = conformed(rows, table, edge="written")
            # One or a few files per partition instead of one per task; AQE splits the large ones.
            source = rows.hint("rebalance", table.partition) if spread and table.partition else rows
        else:
            source = rows.frame
        marked = isinstance(rows, DataFrame) and bool({contract.ROWS, contract.OUTCOME} & set(rows.columns))
        upon = there.version if there else delta_log.NO_VERSION
        work = [partial(written_by, source, writer)]
        local = touched if isinstance(rows, ArrowRows) and rows.local else None
        left, shared = local.staying(self.data_files(table), part) if local else ((), ())
        if local and shared:
            function = partial(rows_that_stay, columns=table.column_names, touched=local)
            kept = listed(self.spark, self.path(table), shared)
            work.append(partial(written_by, kept.listing, self.writer(table, function, part)))
        found, *again = side_by_side(work)
        report = Report.total([Report(marked=marked), found])
        for rest in (*again, Report(outcomes=Counter({contract.KEPT: sum(file.rows for file in left)}))):
            report.add_staying(rest)
        return self._checked(Staged(table, report, replaces, upon, part, left, local), outcomes)

    def rewritten(self, came: Iterable[delta_log.DataFile], went: Iterable[delta_log.DataFile]) -> Tie | None:
        """Where this lake itself wrote files in place of others for touched keys: the rows that may have changed."""
        return self._rewritten.get((delta_log.paths_of(came), delta_log.paths_of(went)))

    def discard(self, staged: Staged) -> None:
        """Delete the files of a write that will not be committed."""
        self._remove(staged.table, staged.report.files)

    def commit(self, staged: Staged, *, run_id: str) -> Written:
        """Make the staged rows those of the table. Partitions whose rows are the same as before keep their files."""
        table = staged.table
        with self.lock(table):
            held = self._ensure(table, run_id)
            version = held.version
            if staged.replaces and version != max(staged.upon, 0):
                raise Locked(f"table {table.name}: version {version} came while its rows were computed; run again")
            change = staged.against(staged.replaced(held), self.store)
            self._remove(table, change.needless)
            if change.added or change.removed:
                version = delta_log.commit(
                    self.store, table, upon=held, added=change.added, removed=change.removed, run_id=run_id
                )
                self._rewritten |= staged.rewritten(change)
        content = staged.content
        return Written(version, content.rows, content.hash, staged.outcomes, change.partitions)

    def replace(self, table: Table, rows: DataFrame | ArrowRows, *, window: Window | None, run_id: str) -> Written:
        """Make `rows` those of the partitions within `window`; of the whole table when there is no window."""
        replaces = partitions.in_window(window or (None, None))
        return self.commit(self.stage(table, rows, replaces=replaces, spread=partitions.is_wide(window)), run_id=run_id)

    def replace_days(self, table: Table, rows: DataFrame, days: Sequence[date], *, run_id: str) -> Written:
        """Make `rows` those of exactly these partitions."""
        if not days:
            raise ValueError(f"table {table.name}: no days to replace")
        spread = len(days) > partitions.FEW
        return self.commit(self.stage(table, rows, replaces=partitions.among(days), spread=spread), run_id=run_id)

    def append(self, table: Table, rows: DataFrame | Sequence[Mapping[str, Any]], *, run_id: str) -> Written:
        """Add `rows`. A few records, by column name, are written here without a Spark job."""
        if isinstance(rows, DataFrame):
            return self.commit(self.stage(table, rows, replaces=None), run_id=run_id)
        writer = self.writer(table)
        batches = pa.Table.from_pylist(list(rows), schema=writer.schema).to_batches()
        staged = Staged(table, writer.write(iter(batches)), None, self.version(table))
        return self.commit(self._checked(staged, ()), run_id=run_id)

    def staging(self, name: str) -> str:
        """A fresh empty folder below the lake for temporary Parquet."""
        self.clear_staging(name)
        self.store.make_folder(f"_staging/{name}")
        return self.store.path("_staging", name)

    def clear_staging(self, name: str) -> None:
        self.store.remove_folder(f"_staging/{name}")

    def lock(self, *tables: Table) -> AbstractContextManager[None]:
        """Be the only writer of `tables`. Raises Locked when another process keeps them longer than lock_wait_s."""
        return self.locks.hold([table.name for table in tables])

    def writer(self, table: Table, function: Function | None = None, part: str | None = None) -> FileWriter:
        """What writes rows into files of `table`, unseen until they are committed."""
        return writer_of(table, self.path(table), self._codec, function, part)

    def _checked(self, staged: Staged, outcomes: Sequence[str]) -> Staged:
        """`staged`, unless its rows may not enter the table: then its files go."""
        try:
            staged.check(outcomes)
        except GateRefused:
            self.discard(staged)
            raise
        return staged

    def _remove(self, table: Table, files: Sequence[Mapping[str, Any]]) -> None:
        for file in files:
            self.store.remove_file(f"{table.name}/{file['path']}")

    def _opened(
        self, table: Table, window: Window | None, *, optional: bool, part: str | None
    ) -> delta_log.Snapshot | None:
        """What is found, its files looked at, each once: they never change. None where there is nothing."""
        found = self._found(table, window, part)
        if found is None and not optional:
            raise InputMissing(
                f"table {table.name}: not there yet, expected it at {self.path(table)}; run what writes it first"
            )
        if found is None or not found.files:
            return None
        check_files(self.store, table, [f for f in found.files if (table.name, f.path) not in self._looked_at])
        self._looked_at |= {(table.name, file.path) for file in found.files}
        return found

    def _found(self, table: Table, window: Window | None = None, part: str | None = None) -> delta_log.Snapshot | None:
        """The files of the partitions within `window`, at the newest version; None when the table does not exist."""
        version = delta_log.verified_version(self.store, table)
        if version == delta_log.NO_VERSION:
            return None
        known = self._snapshots.get(table.name)
        found = known if known and known.version == version else delta_log.snapshot(self.store, table, version)
        self._snapshots[table.name] = found
        check_readable(table, found)
        return found.only(partitions.in_window(window) if window else None, part)

    def _ensure(self, table: Table, run_id: str) -> delta_log.Snapshot:
        """What to write upon; creates the table and, with the first one, the lake's description."""
        if not self.store.exists(DESCRIPTION):
            self.store.write_json(DESCRIPTION, {"zone": self.zone})
        if found := self._found(table):
            return found
        create(self.store, table, schema_json=declared_schema(table).json(), partition=table.partition, run_id=run_id)
        return delta_log.snapshot(self.store, table, 0)
