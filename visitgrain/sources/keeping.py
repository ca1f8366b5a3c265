"""What ingest writes beside the table itself: refused rows, losing rows, the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from pyspark.sql import DataFrame, SparkSession, Window, functions as F

from visitgrain.sources.files import SourceFile
from visitgrain.sources.mapping import REASON
from visitgrain.sources.reading import Place
from visitgrain.sources.settling import CONFLICTING, KEPT, OUTCOME, PAYLOAD_HASH
from visitgrain.tables import Table
from visitgrain.tables.runs import CONFLICTING_EVENTS, QUARANTINED_EVENTS

_CONFLICT = CONFLICTING_EVENTS.column_names
REPLAYED = ("fixed_by", "replayed_at", "replay_run_id")  # of a quarantined row that was taken over in the end


def quarantined(
    spark: SparkSession, refused: DataFrame, table: Table, places: Mapping[str, Place], kind: str, day: date
) -> DataFrame:
    """Refused rows as rows of `quarantined_events`. `kind` is what their position counts: byte or row."""
    names = spark.createDataFrame(
        [(key, place.file, place.file_hash, place.columns) for key, place in places.items()],
        "_file string, file string, file_hash string, columns string",
    )
    return refused.join(F.broadcast(names), on="_file", how="inner").select(
        "load_id",
        F.lit(day).alias("load_date"),
        "source",
        F.lit(table.name).alias("table_name"),
        "file",
        "file_hash",
        F.col("_position").alias("position"),
        F.lit(kind).alias("position_kind"),
        F.col(REASON).alias("reason"),
        F.col("_payload_hash").alias("payload_hash"),
        F.col("_payload").alias("payload"),
        "columns",
        *(F.lit(None).cast(QUARANTINED_EVENTS.column(name).type).alias(name) for name in REPLAYED),
    )


def not_yet(rows: DataFrame, stored: DataFrame | None, table: Table) -> DataFrame:
    """Rows whose key the table does not have: what a killed run already wrote is not written twice."""
    return rows if stored is None else rows.join(stored.select(*table.key), on=list(table.key), how="left_anti")


def conflicts(contested: DataFrame, stored: DataFrame | None, table: Table) -> DataFrame:
    """Every losing row of the contested event ids, known ones and new ones, as rows of `conflicting_events`.

    One per id and content, the earliest received; what has become the winner meanwhile is no loser any more.
    """
    columns = F.struct(*(name for name in table.column_names if name not in ("source", "load_id")))
    hashed = contested.withColumn("payload_hash", F.col(PAYLOAD_HASH))
    lost = hashed.where(F.col(OUTCOME) == CONFLICTING).withColumn("payload", F.to_json(columns)).select(*_CONFLICT)
    if stored is not None:
        lost = lost.unionByName(
            stored.select(*_CONFLICT).join(hashed.select("event_id"), on="event_id", how="left_semi")
        )
    winners = hashed.where(F.col(OUTCOME) == KEPT).select("event_id", "payload_hash")
    earliest = Window.partitionBy("event_id", "payload_hash").orderBy("received_time", "payload", "source", "load_id")
    return (
        lost.join(winners, on=["event_id", "payload_hash"], how="left_anti")
        .withColumn("place", F.row_number().over(earliest))
        .where("place = 1")
        .select(*_CONFLICT)
    )


def manifest(files: Iterable[SourceFile], source: str, load_id: str, now: datetime) -> list[dict[str, object]]:
    """One row of `ingest_manifest` per file taken over."""
    return [
        {
            "file_hash": file.file_hash,
            "source": source,
            "file": file.name,
            "bytes": file.bytes,
            "load_id": load_id,
            "loaded_at": now,
        }
        for file in files
    ]
