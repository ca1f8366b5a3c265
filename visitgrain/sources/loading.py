"""One canonical table of a delivery: all of it is staged before any of it is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import Any, Protocol

from pyspark.sql import DataFrame, Row, SparkSession, functions as F

from visitgrain.sources import settling
from visitgrain.sources.keeping import conflicts, not_yet, quarantined
from visitgrain.sources.lateness import LATE, PLACE, beside_admitted, places_of, with_place
from visitgrain.sources.mapping import BLANK_LINE, KEY_HASH, REASON, RULE, Load, counted
from visitgrain.sources.reading import Place, place_of
from visitgrain.sources.result import TableResult, fates, noticed, settled_outcomes
from visitgrain.sources.sealing import NUMBER
from visitgrain.sources.settling import CONTRADICTING, KEPT, OUTCOME, STORED
from visitgrain.tables import Table
from visitgrain.tables.runs import CONFLICTING_EVENTS, QUARANTINED_EVENTS

ROWS = "_rows"  # reserved column of the runner: input rows that a row accounts for


class Tables(Protocol):
    """What loading needs of the lake."""

    spark: SparkSession

    def has(self, table: Table) -> bool: ...
    def read(self, table: Table, window: tuple[date, date] | None = None) -> DataFrame: ...
    def append(self, table: Table, frame: DataFrame, *, run_id: str) -> Any: ...
    def replace(self, table: Table, frame: DataFrame, *, window: None, run_id: str) -> Any: ...
    def replace_days(self, table: Table, frame: DataFrame, days: Sequence[date], *, run_id: str) -> Any: ...


@dataclass
class TableLoad:
    """Rows of one table on their way. `folder` is a staging folder of its own; `places` leads back to the files."""

    lake: Tables
    table: Table
    load: Load
    folder: str
    run_id: str
    today: date
    places: Mapping[str, Place]
    counts: list[Row] = field(default_factory=list)
    settled: list[Row] = field(default_factory=list)
    contested: DataFrame | None = None
    days: list[date] = field(default_factory=list)

    def stage(self, rows: DataFrame) -> None:
        """Map once, to Parquet; find the keys that occur twice and settle them."""
        rows = with_place(rows, self.table, self.load.late_horizon)
        rows.write.mode("overwrite").parquet(f"{self.folder}/rows")
        self.counts = counted(self._rows, self.table).collect()
        repeated = settling.repeated(self.good, self._stored, self.table, KEY_HASH)
        repeated.write.mode("overwrite").parquet(f"{self.folder}/repeated")
        if self._staged("repeated").isEmpty():
            return  # the common case: nothing to settle
        contested = settling.contested(self.good, self._stored, self._staged("repeated"), self.table, KEY_HASH)
        contested = beside_admitted(contested, self.table, self.load.late_horizon)
        contested.write.mode("overwrite").parquet(f"{self.folder}/contested")
        self.contested = self._staged("contested")
        self.settled = self.contested.groupBy(STORED, OUTCOME).agg(F.count("*").alias("rows")).collect()

    @property
    def rows(self) -> int:
        """Rows read, blank lines not counted."""
        return sum(row["rows"] for row in self.counts if row[RULE] != BLANK_LINE)

    def store(self) -> TableResult:
        """First what was refused or lost, then the table: a killed run loses nothing; running it again finishes it."""
        outcomes = Counter(fates(self.counts)) + Counter(settled_outcomes(self.settled))
        if self.contested is not None and self.table.name == "events":
            self._store_conflicts(self.contested)
        if any(name.startswith("quarantined:") for name in outcomes):
            self._store_quarantined()
        written, *apart = [self._store_kept(place) for place in places_of(self.table)]
        if late := sum(rows.outcomes[KEPT] for rows in apart if rows):
            outcomes[LATE] = late
        result = TableResult(
            self.table.name,
            sum(row["rows"] for row in self.counts),
            {KEPT: written.outcomes[KEPT] if written else 0, **dict(sorted(outcomes.items()))},
            noticed(self.counts),
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
    def good(self) -> DataFrame:
        """Staged rows that are neither filtered nor refused by themselves."""
        return self._rows.where(F.col(RULE).isNull() & F.col(REASON).isNull())

    @property
    def _stored(self) -> DataFrame | None:
        """Rows of the table, and of the one that holds its late ones."""
        window = self._window()
        there = [place for place in places_of(self.table) if self.lake.has(place)]
        frames = [self.lake.read(place, window).withColumn(PLACE, F.lit(place.name)) for place in there]
        return reduce(DataFrame.unionByName, frames) if frames else None

    def _window(self) -> tuple[date, date] | None:
        """Days of the stored rows that may have a key of the new ones; None = all of them."""
        good = [row for row in self.counts if not row[RULE] and not row[REASON]]
        if self.table.partition is None or not good:
            return None
        first, last = min(row["first_day"] for row in good), max(row["last_day"] for row in good)
        return first - self.load.dedup_horizon, last + self.load.dedup_horizon

    def _staged(self, name: str) -> DataFrame:
        return self.lake.spark.read.parquet(f"{self.folder}/{name}")

    def _store_kept(self, place: Table) -> Any:
        names = place.column_names
        kept = self._kept().where(F.col(PLACE) == place.name).select(*names)
        displaced = self._displaced()
        if displaced is not None:
            displaced = displaced.where(F.col(PLACE) == place.name)
        if place.partition is None:
            return self._replace_whole(kept, displaced)
        days = _values(kept, place.partition)
        if place is self.table:
            self.days = days
        cleared = _values(displaced, place.partition) if displaced is not None else []
        if not cleared:
            return self.lake.append(place, kept, run_id=self.run_id) if days else None
        touched = sorted({*days, *cleared})
        stored = self.lake.read(place).where(F.col(place.partition).isin(touched))
        survivors = not_yet(stored, displaced, place)
        return self.lake.replace_days(place, _accounted(kept, survivors), touched, run_id=self.run_id)

    def _replace_whole(self, kept: DataFrame, displaced: DataFrame | None) -> Any:
        if kept.isEmpty():
            return None
        stored = self.lake.read(self.table) if self.lake.has(self.table) else None
        frame = kept if stored is None else _accounted(kept, not_yet(stored, displaced, self.table))
        return self.lake.replace(self.table, frame, window=None, run_id=self.run_id)

    def _kept(self) -> DataFrame:
        """New rows that stand, each with its place."""
        names = [*self.table.column_names, PLACE]
        if self.contested is None:
            return self.good.select(*names)
        alone = self.good.join(self._staged("repeated"), on=KEY_HASH, how="left_anti")
        won = self.contested.where(~F.col(STORED) & (F.col(OUTCOME) == KEPT))
        return alone.select(*names).unionByName(won.select(*names))

    def _displaced(self) -> DataFrame | None:
        """Stored rows that stand no more."""
        return None if self.contested is None else self.contested.where(F.col(STORED) & (F.col(OUTCOME) != KEPT))

    def _store_conflicts(self, contested: DataFrame) -> None:
        """Losers of the contested ids, replaced as a whole: a former loser may have become the winner."""
        stored = self.lake.read(CONFLICTING_EVENTS) if self.lake.has(CONFLICTING_EVENTS) else None
        lost = conflicts(contested, stored, self.table)
        if stored is None:
            if not lost.isEmpty():
                self.lake.append(CONFLICTING_EVENTS, lost, run_id=self.run_id)
            return
        known = stored.join(contested.select("event_id"), on="event_id", how="left_semi")
        days = sorted({*_values(lost, "event_date"), *_values(known, "event_date")})
        if days:
            others = stored.where(F.col("event_date").isin(days)).join(known, on="event_id", how="left_anti")
            rows = others.select(*stored.columns).unionByName(lost)
            self.lake.replace_days(CONFLICTING_EVENTS, rows, days, run_id=self.run_id)

    def _store_quarantined(self) -> None:
        refused = self._rows.where(F.col(REASON).isNotNull())
        if self.contested is not None:
            contradicting = self.contested.where(F.col(OUTCOME).isin(*CONTRADICTING))
            contradicting = contradicting.withColumn(REASON, F.col(OUTCOME))
            refused = refused.unionByName(contradicting, allowMissingColumns=True)
        kind = "row" if self.load.source.format == "parquet" else "byte"
        places = {spelling: self.places[place_of(spelling)] for spelling in _values(refused, "_file")}
        if not refused.where(F.col("_payload").rlike(NUMBER.pattern)).isEmpty():
            refused = refused.withColumn("_payload", self.load.seal(F.col("_payload")))
        rows = quarantined(self.lake.spark, refused, self.table, places, kind, self.today)
        stored = self.lake.read(QUARANTINED_EVENTS) if self.lake.has(QUARANTINED_EVENTS) else None
        new = not_yet(rows, stored, QUARANTINED_EVENTS)
        if not new.isEmpty():
            self.lake.append(QUARANTINED_EVENTS, new, run_id=self.run_id)


def _accounted(kept: DataFrame, survivors: DataFrame) -> DataFrame:
    """New rows account for themselves, rows that stood before for nothing."""
    return kept.withColumn(ROWS, F.lit(1)).unionByName(survivors.withColumn(ROWS, F.lit(0)))


def _values(rows: DataFrame, column: str) -> list[Any]:
    return sorted(row[0] for row in rows.select(column).distinct().collect())
