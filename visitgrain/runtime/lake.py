"""The tables: read, replaced and appended to, with the schema contract, receipts and locks. The only I/O on tables."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

from visitgrain.errors import ConfigError, GateRefused, InputMissing, JobFailed
from visitgrain.runtime import delta_log, observing, partitions
from visitgrain.runtime.contract import conformed, declared_schema
from visitgrain.runtime.job import Window
from visitgrain.runtime.locks import TableLocks, lock_folder
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table

DESCRIPTION = "_visitgrain.json"
FEW_PARTITIONS = 7  # up to here each task may write a file per partition


@dataclass(frozen=True)
class Written:
    """A committed write. `outcomes`: input rows by what became of them ('kept' alone without reserved columns)."""

    version: int
    rows: int
    content_hash: str
    outcomes: dict[str, int]


class Lake:
    """Every table at `<root>/<name>`, in Delta's compatibility profile (reader protocol 1).

    Raises ConfigError when the lake was made for another zone: its local days would mean something else.
    """

    def __init__(self, spark: SparkSession, root: str, zone: str, *, lock_wait_s: float = 60.0) -> None:
        self.spark = spark
        self.store = Store(root)
        self._zone = zone
        self._guarded: set[str] = set()
        self._locks = TableLocks(lock_folder(self.store), wait_s=lock_wait_s)
        known = self.store.read_json(DESCRIPTION)
        if known is not None and known["zone"] != zone:
            raise ConfigError(
                f"{self.store.path(DESCRIPTION)}: the days of this lake are {known['zone']} days, the setting zone is "
                f"{zone!r}; set zone: {known['zone']} (or --set zone={known['zone']}), or use another lake"
            )

    def has(self, table: Table) -> bool:
        return delta_log.newest_version(self.store, table) != delta_log.NO_VERSION

    def version(self, table: Table) -> int:
        """Newest version; -1 when the table does not exist."""
        return delta_log.newest_version(self.store, table)

    def path(self, table: Table) -> str:
        return self.store.path(table.name)

    def read(self, table: Table, window: Window | None = None, *, optional: bool = False) -> DataFrame:
        """Declared columns in declared order, of the partitions within `window` (both ends included).

        A missing table is InputMissing, or an empty frame when `optional`. Raises GateRefused on damage, on a protocol
        other engines cannot read, and when the stored columns are not the declared ones.
        """
        version = delta_log.verified_version(self.store, table)
        if version == delta_log.NO_VERSION:
            if optional:
                return self.empty(table)
            raise InputMissing(
                f"table {table.name}: not there yet, expected it at {self.path(table)}; run what writes it first"
            )
        self.assert_protocol(table)
        stored = self.spark.read.format("delta").option("versionAsOf", version).load(self.path(table))
        frame = conformed(stored, table, edge="stored")
        return frame if window is None else frame.where(partitions.within(table, window))

    def empty(self, table: Table) -> DataFrame:
        return self.spark.createDataFrame([], declared_schema(table))

    def replace(
        self, table: Table, frame: DataFrame, *, window: Window | None, run_id: str, outcomes: Sequence[str] = ()
    ) -> Written:
        """Make `frame` the rows of the partitions within `window`; of the whole table when there is no window.

        `outcomes` names the values of `_outcome` beside 'kept'; another value is refused and the table restored.
        """
        if window is None:
            return self._write(table, frame, run_id, outcomes, where=None, spread=True)
        days = (window[1] - window[0]).days + 1 if window[0] and window[1] else FEW_PARTITIONS + 1
        return self._write(
            table, frame, run_id, outcomes, where=partitions.within_sql(table, window), spread=days > FEW_PARTITIONS
        )

    def replace_days(
        self, table: Table, frame: DataFrame, days: Sequence[date], *, run_id: str, outcomes: Sequence[str] = ()
    ) -> Written:
        """Make `frame` the rows of exactly these partitions."""
        if not days:
            raise ValueError(f"table {table.name}: no days to replace")
        where = partitions.among_sql(table, days)
        return self._write(table, frame, run_id, outcomes, where=where, spread=len(days) > FEW_PARTITIONS)

    def append(self, table: Table, frame: DataFrame, *, run_id: str, outcomes: Sequence[str] = ()) -> Written:
        """Add the rows of `frame`."""
        return self._write(table, frame, run_id, outcomes, where=None, spread=True, mode="append")

    def restore(self, table: Table, version: int, *, run_id: str) -> None:
        """Bring back the rows of an earlier version, as a new version."""
        with self.lock(table):
            DeltaTable.forPath(self.spark, self.path(table)).restoreToVersion(version)
            now = self.version(table)
            delta_log.acknowledge(self.store, table, version=now, rows=None, content_hash=None, run_id=run_id)

    def staging(self, name: str) -> str:
        """A fresh empty folder below the lake for temporary Parquet."""
        self.clear_staging(name)
        self.store.make_folder(f"_staging/{name}")
        return self.store.path("_staging", name)

    def clear_staging(self, name: str) -> None:
        self.store.remove_folder(f"_staging/{name}")

    def lock(self, *tables: Table) -> AbstractContextManager[None]:
        """Be the only writer of `tables`. Raises Locked when another process keeps them longer than lock_wait_s."""
        return self._locks.hold([table.name for table in tables])

    def assert_protocol(self, table: Table) -> None:
        """Raises GateRefused when some downstream engine could not read the table. Asked once per table."""
        if table.name in self._guarded:
            return
        [detail] = DeltaTable.forPath(self.spark, self.path(table)).detail().collect()
        if detail["minReaderVersion"] > delta_log.READER_VERSION:
            raise GateRefused(
                f"table {table.name}: reader protocol {detail['minReaderVersion']} with features "
                f"{', '.join(detail['tableFeatures'])}; allowed is {delta_log.READER_VERSION}, which all engines read. "
                "Somebody enabled a table feature; delete the table's folder and run its job again"
            )
        self._guarded.add(table.name)

    def _write(
        self,
        table: Table,
        frame: DataFrame,
        run_id: str,
        outcomes: Sequence[str],
        *,
        where: str | None,
        spread: bool,
        mode: str = "overwrite",
    ) -> Written:
        frame = conformed(frame, table, edge="written")
        if spread and table.partition:
            # One or a few files per partition instead of one per task; AQE splits the large ones.
            frame = frame.hint("rebalance", table.partition)
        rows, observation = observing.accounted(frame, declared_schema(table), outcomes)
        writer = rows.write.format("delta").mode(mode).option("userMetadata", run_id)
        with self.lock(table):
            before = self._ensure(table, run_id)
            _save(writer.option("replaceWhere", where) if where else writer, self.path(table), table)
            metrics = observing.metrics_of(observation)
            return self._acknowledged(table, metrics, before=before, run_id=run_id)

    def _ensure(self, table: Table, run_id: str) -> int:
        """The version to write upon; creates the table and, with the first one, the lake's description."""
        if not self.store.exists(DESCRIPTION):
            self.store.write_json(DESCRIPTION, {"zone": self._zone})
        version = delta_log.verified_version(self.store, table)
        if version != delta_log.NO_VERSION:
            return version
        schema = declared_schema(table).json()
        delta_log.create(self.store, table, schema_json=schema, partition=table.partition, run_id=run_id)
        return 0

    def _acknowledged(self, table: Table, metrics: dict[str, Any], *, before: int, run_id: str) -> Written:
        """Compare what was observed with what Delta committed, then leave the receipt."""
        rows, content_hash = int(metrics.get("rows") or 0), observing.content_hash(metrics)
        version = self.version(table)
        if version == before and rows:
            raise JobFailed(f"table {table.name}: {rows} rows written, yet no version after {before}; run it again")
        problem = None
        if version != before:  # Delta commits nothing where nothing replaces nothing
            problem = self._disagreement(table, version, rows, run_id)
        if metrics.get(observing.UNDECLARED) is not None:
            problem = f"outcome {metrics[observing.UNDECLARED]!r} is not declared; add it to Job.outcomes"
        if problem:
            self.restore(table, before, run_id=run_id)
            raise GateRefused(f"table {table.name}: {problem}. The table was restored to version {before}")
        if version != before:
            delta_log.acknowledge(
                self.store, table, version=version, rows=rows, content_hash=content_hash, run_id=run_id
            )
        return Written(version, rows, content_hash, observing.outcomes_of(metrics))

    def _disagreement(self, table: Table, version: int, rows: int, run_id: str) -> str | None:
        """How the commit of `version` differs from the `rows` counted on the way, if it does."""
        commit = delta_log.commit_info(self.store, table, version)
        if commit.get("userMetadata") != run_id:
            return f"version {version} is not of this run; write with visitgrain only"
        committed = int(commit.get("operationMetrics", {}).get("numOutputRows", 0))
        return None if committed == rows else f"{rows} rows counted on the way, {committed} committed"


def _save(writer: DataFrameWriter, path: str, table: Table) -> None:
    """Translate the two refusals a transform can cause; everything else is the runner's to report."""
    try:
        writer.save(path)
    except Exception as error:
        text = str(error)
        if "DELTA_NOT_NULL_CONSTRAINT_VIOLATED" in text:
            column = text.partition("violated for column: ")[2].partition(".")[0]
            fix = "quarantine such rows or declare the column nullable"
            raise GateRefused(f"table {table.name}: null in column {column}, declared never null; {fix}") from error
        if "DELTA_REPLACE_WHERE_MISMATCH" in text:
            fix = "the job writes days outside its span; see Job.rewrites_before"
            raise GateRefused(
                f"table {table.name}: rows outside the replaced {table.partition} values; {fix}"
            ) from error
        raise
