"""One canonical table of a delivery: all of it is staged before any of it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from pyspark.sql import DataFrame, Row, SparkSession, functions as F

from visitgrain.sources import settling
from visitgrain.sources.keeping import conflicts, not_yet, quarantined
from visitgrain.sources.mapping import KEY_HASH, REASON, RULE, Load, counted
from visitgrain.sources.result import TableResult, fates, settled_outcomes
from visitgrain.sources.settling import DUPLICATE_KEY, KEPT, OUTCOME, STORED
from visitgrain.tables import Table
from visitgrain.tables.runs import CONFLICTING_EVENTS, QUARANTINED_EVENTS

ROWS = "_rows"  # reserved column of the runner: input rows that a row accounts for


class Tables(Protocol):
    """What loading needs of the lake."""

    spark: SparkSession

    def has(self, table: Table) -> bool: ...
    def read(self, table: Table) -> DataFrame: ...
    def append(self, table: Table, frame: DataFrame, *, run_id: str) -> Any: ...
    def replace(self, table: Table, frame: DataFrame, *, window: None, run_id: str) -> Any: ...
    def replace_days(self, table: Table, frame: DataFrame, days: Sequence[date], *, run_id: str) -> Any: ...


@dataclass
class TableLoad:
    """Rows of one table on their way. `folder` is a staging folder of its own; `files` leads back to the files."""

    lake: Tables
    table: Table
    load: Load
    folder: str
    run_id: str
    files: Mapping[str, Any]
    counts: list[Row] = field(default_factory=list)
    days: list[date] = field(default_factory=list)

    def stage(self, rows: DataFrame) -> None:
        """Map once, to Parquet; find the keys that occur twice and settle them."""
        rows.write.mode("overwrite").parquet(f"{self.folder}/rows")
        self.counts = counted(self._rows).collect()
        repeated = settling.repeated(self._good, self._stored, self.table, KEY_HASH)
        repeated.write.mode("overwrite").parquet(f"{self.folder}/repeated")
        rows = settling.contested(self._good, self._stored, self._staged("repeated"), self.table, KEY_HASH)
        rows.write.mode("overwrite").parquet(f"{self.folder}/contested")

    def store(self) -> TableResult:
        """The table first, then what was refused. A killed run is finished by running it again."""
        written = self._store_kept()
        self._store_conflicts()
        self._store_quarantined()
        contested = self._staged("contested").groupBy(STORED, OUTCOME).agg(F.count("*").alias("rows")).collect()
        outcomes = {**fates(self.counts)}
        for name, rows in settled_outcomes(contested).items():
            outcomes[name] = outcomes.get(name, 0) + rows
        kept = written.outcomes[KEPT] if written else 0
        rows_read = sum(row["rows"] for row in self.counts)
        result = TableResult(
            self.table.name,
            rows_read,
            {KEPT: kept, **dict(sorted(outcomes.items()))},
            version=written.version if written else None,
            content_hash=written.content_hash if written else None,
            days=(min(self.days), max(self.days)) if self.days else None,
        )
        result.assert_conserved()
        return result

    @property
    def _rows(self) -> DataFrame:
        return self._staged("rows")

    @property
    def _good(self) -> DataFrame:
        return self._rows.where(F.col(RULE).isNull() & F.col(REASON).isNull())

    @property
    def _stored(self) -> DataFrame | None:
        return self.lake.read(self.table) if self.lake.has(self.table) else None

    def _staged(self, name: str) -> DataFrame:
        return self.lake.spark.read.parquet(f"{self.folder}/{name}")

    def _store_kept(self) -> Any:
        names = self.table.column_names
        contested, stored = self._staged("contested"), self._stored
        alone = self._good.join(self._staged("repeated"), on=KEY_HASH, how="left_anti").select(*names)
        won = contested.where(~F.col(STORED) & (F.col(OUTCOME) == KEPT)).select(*names)
        displaced = contested.where(F.col(STORED) & (F.col(OUTCOME) != KEPT)).select(*names)
        kept = alone.unionByName(won)
        if self.table.partition is None:
            return self._replace_whole(kept, displaced, stored)
        day = self.table.partition
        self.days = sorted(row[0] for row in kept.select(day).distinct().collect())
        touched = sorted({*self.days, *(row[0] for row in displaced.select(day).distinct().collect())})
        if not touched:
            return None
        if stored is None or not self._has_days(stored, touched):
            return self.lake.append(self.table, kept, run_id=self.run_id)
        survivors = stored.where(F.col(day).isin(touched)).join(displaced, on=list(self.table.key), how="left_anti")
        return self.lake.replace_days(self.table, _accounted(kept, survivors, names), touched, run_id=self.run_id)

    def _replace_whole(self, kept: DataFrame, displaced: DataFrame, stored: DataFrame | None) -> Any:
        if kept.isEmpty():
            return None
        if stored is None:
            return self.lake.replace(self.table, kept, window=None, run_id=self.run_id)
        survivors = stored.join(displaced, on=list(self.table.key), how="left_anti")
        frame = _accounted(kept, survivors, self.table.column_names)
        return self.lake.replace(self.table, frame, window=None, run_id=self.run_id)

    def _has_days(self, stored: DataFrame, days: list[date]) -> bool:
        column = F.col(str(self.table.partition))
        return not stored.where(column.between(days[0], days[-1]) & column.isin(days)).isEmpty()

    def _store_conflicts(self) -> None:
        if self.table.name != "events":
            return
        lost = conflicts(self._staged("contested"), self.table)
        self._append(CONFLICTING_EVENTS, lost)

    def _store_quarantined(self) -> None:
        contradicting = (
            self._staged("contested").where(F.col(OUTCOME) == DUPLICATE_KEY).withColumn(REASON, F.col(OUTCOME))
        )
        refused = self._rows.where(F.col(REASON).isNotNull()).unionByName(contradicting, allowMissingColumns=True)
        kind = "row" if self.load.source.format == "parquet" else "byte"
        rows = quarantined(self.lake.spark, refused, self.table, self.files, kind, self.load.now.date())
        self._append(QUARANTINED_EVENTS, rows)

    def _append(self, table: Table, rows: DataFrame) -> None:
        stored = self.lake.read(table) if self.lake.has(table) else None
        new = not_yet(rows, stored, table)
        if not new.isEmpty():
            self.lake.append(table, new, run_id=self.run_id)


def _accounted(kept: DataFrame, survivors: DataFrame, names: list[str]) -> DataFrame:
    """New rows account for themselves, rows that stood before for nothing."""
    new, old = kept.withColumn(ROWS, F.lit(1)), survivors.select(*names).withColumn(ROWS, F.lit(0))
    return new.unionByName(old)
