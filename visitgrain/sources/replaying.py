"""Refused rows through the mapping once more. They come from `quarantined_events`, not from the files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Window, functions as F
from pyspark.sql.types import StructType

from visitgrain.catalogue.source import Source
from visitgrain.sources.fields import Wanted
from visitgrain.sources.gate import columns_read, reads
from visitgrain.sources.loading import TableLoad
from visitgrain.sources.mapping import REASON, RULE
from visitgrain.sources.parquet_fields import fields_of
from visitgrain.sources.reading import Rows, parsed_batch, text_ddl, text_fields
from visitgrain.sources.records import Record
from visitgrain.sources.result import TableResult
from visitgrain.sources.rows import Layout, parser
from visitgrain.sources.settling import CONTRADICTING, NEWEST, OUTCOME
from visitgrain.tables import Table
from visitgrain.tables.runs import INGEST_MANIFEST, QUARANTINED_EVENTS

CARRIED = ("_load_id", "_loaded_at")  # every row stays with the load that brought it
SUPERSEDED = "superseded"  # the rule that leaves out what a later delivery says better


def is_whole() -> Column:
    """Is the payload all of the row, as it was? Not when it was cut at 64 KiB, was no text, or its file ended early."""
    return (F.sha2("payload", 256) == F.col("payload_hash")) & (F.col("reason") != "truncated")


def replayed_rows(refused: DataFrame, loads: DataFrame, source: Source, table: Table) -> list[Rows]:
    """Whole rows of `quarantined_events` as rows of a frame, read as in their files.

    `loads` says when each load was (`load_id`, `loaded_at`); a load that never finished counts as of its day's end.
    """
    loaded_at = F.coalesce("loaded_at", F.date_add("load_date", 1).cast("timestamp"))
    rows = refused.join(F.broadcast(loads), on="load_id", how="left").select(
        F.col("file_hash").alias("_file"),
        F.col("position").alias("_position"),
        F.col("payload").alias("_raw"),
        F.col("load_id").alias("_load_id"),
        loaded_at.alias("_loaded_at"),
        "columns",
    )
    layouts = sorted(row[0] for row in refused.select("columns").distinct().collect())
    if source.format == "parquet":
        return [_parquet_rows(rows.where(F.col("columns") == layout), layout, source, table) for layout in layouts]
    return [_text_rows(rows, layouts, source, table)]


def _known(source: Source, table: Table, columns: Sequence[str]) -> frozenset[str]:
    """Columns read by this table, or by another one that takes the same files."""
    files = source.tables[table.name].files
    return columns_read(source, (name for name, mapping in source.tables.items() if mapping.files == files), columns)


def _parquet_rows(rows: DataFrame, layout: str, source: Source, table: Table) -> Rows:
    schema = StructType.fromJson(json.loads(layout))
    wanted = sorted(reads(source.tables[table.name], table, schema.names))
    known = _known(source, table, schema.names) if source.rescues else None
    fields = fields_of(schema, wanted, Wanted((), known, source.ignored).rescued(schema.names), source)
    parsed = rows.select("_file", "_position", "_raw", *CARRIED, F.from_json("_raw", schema).alias("_row"))
    frame = parsed.select("_file", "_position", "_raw", *CARRIED, "_row.*")
    return Rows(frame.select("_file", "_position", "_raw", *CARRIED, *fields.selected), fields.columns, {}, CARRIED)


def _text_rows(rows: DataFrame, layouts: Sequence[str], source: Source, table: Table) -> Rows:
    columns = {layout: json.loads(layout) or [] for layout in layouts}
    present = sorted({name for names in columns.values() for name in names})
    wanted = tuple(sorted(reads(source.tables[table.name], table, present)))
    known = {layout: _known(source, table, names) if source.rescues else None for layout, names in columns.items()}
    takes = {layout: Wanted(wanted, known[layout], source.ignored) for layout in layouts}
    read = _reader(Layout.of(source), columns, takes, len(wanted))
    ddl = f"{text_ddl(wanted)}, _load_id string, _loaded_at timestamp"
    return Rows(rows.mapInArrow(read, ddl), text_fields(wanted), {}, CARRIED)


def _reader(
    layout: Layout, columns: Mapping[str, Sequence[str]], takes: Mapping[str, Wanted], width: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Reads payloads, those of files with the same columns together."""

    def of_layout(part: pa.RecordBatch, name: str) -> pa.RecordBatch:
        positions, texts = part["_position"].to_pylist(), part["_raw"].to_pylist()
        records = [Record(position, text) for position, text in zip(positions, texts, strict=True)]
        parsed = parsed_batch("", records, parser(layout, columns[name], takes[name]), width)
        own = {"_file": part["_file"], **{carried: part[carried] for carried in CARRIED}}
        arrays = {**dict(zip(parsed.schema.names, parsed.columns, strict=True)), **own}
        return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for name in pc.unique(batch["columns"]).to_pylist():
                yield of_layout(batch.filter(pc.equal(batch["columns"], name)), name)

    return read


@dataclass
class Replay(TableLoad):
    """Rows of one table that were refused before. First they land, then their quarantine says so.

    Killed in between and run again, the rows are known by their keys: each lands once.
    """

    fixed_by: str = ""

    def stage(self, rows: DataFrame) -> None:
        super().stage(self._without_overtaken(rows) if self.table.name in NEWEST else rows)

    def store(self) -> TableResult:
        result = super().store()
        self._mark()
        return result

    def _store_quarantined(self) -> None:
        """They are there."""

    def _without_overtaken(self, rows: DataFrame) -> DataFrame:
        """Of a snapshot's key the latest delivery stands: older ones are left out, whenever they could be read."""
        of_key = Window.partitionBy(*self.table.key)
        good = F.col(RULE).isNull() & F.col(REASON).isNull()
        newest = F.max(F.when(good, F.col("_loaded_at"))).over(of_key)
        overtaken = F.col("_loaded_at") < newest
        if self.lake.has(self.table):
            loads = self.lake.read(INGEST_MANIFEST).select("load_id", F.col("loaded_at").alias("_stored_at")).distinct()
            stored = self.lake.read(self.table).select(*self.table.key, "load_id")
            stored = stored.join(F.broadcast(loads), on="load_id", how="inner").drop("load_id")
            rows = rows.join(stored, on=list(self.table.key), how="left")
            overtaken = overtaken | F.coalesce(F.col("_stored_at") >= F.col("_loaded_at"), F.lit(False))
        rule = F.when(good & overtaken, SUPERSEDED).otherwise(F.col(RULE))
        return rows.withColumn(RULE, rule).drop("_stored_at")

    def _mark(self) -> None:
        """Rows that were taken over say when and what fixed them; rows refused again say why now."""
        place = [F.col("_file").alias("file_hash"), F.col("_position").alias("position")]
        fates = self._rows.select(*place, F.col(REASON).alias("_again"), F.lit(True).alias("_replayed"))
        if self.contested is not None and self.table.name in NEWEST:
            contradicting = self.contested.where(F.col(OUTCOME).isin(*CONTRADICTING))
            twice = contradicting.select(*place, F.col(OUTCOME).alias("_twice"))
            fates = fates.join(twice, on=["file_hash", "position"], how="left")
            fates = fates.withColumn("_again", F.coalesce("_again", "_twice")).drop("_twice")
        stored, of_table = self.lake.read(QUARANTINED_EVENTS), F.col("table_name") == self.table.name
        fates = fates.withColumn("table_name", F.lit(self.table.name))
        key = list(QUARANTINED_EVENTS.key)
        touched = stored.where(of_table).join(fates, on=key, how="left_semi")
        days = sorted(row[0] for row in touched.select("load_date").distinct().collect())
        marked = stored.where(F.col("load_date").isin(days)).join(fates, on=key, how="left")
        passed = F.coalesce(F.col("_replayed"), F.lit(False)) & F.col("_again").isNull()
        marks = {
            "reason": F.coalesce("_again", "reason"),
            "fixed_by": F.when(passed, F.lit(self.fixed_by)).otherwise(F.col("fixed_by")),
            "replayed_at": F.when(passed, F.current_timestamp()).otherwise(F.col("replayed_at")),
            "replay_run_id": F.when(passed, F.lit(self.run_id)).otherwise(F.col("replay_run_id")),
        }
        rows = marked.withColumns(marks).select(*QUARANTINED_EVENTS.column_names)
        self.lake.replace_days(QUARANTINED_EVENTS, rows, days, run_id=self.run_id)
