"""What ingest writes beside the table itself: refused rows, losing rows, the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from pyspark.sql import DataFrame, SparkSession, functions as F

from visitgrain.sources.files import SourceFile
from visitgrain.sources.gate import Accepted
from visitgrain.sources.mapping import REASON
from visitgrain.sources.settling import CONFLICTING, OUTCOME, PAYLOAD_HASH
from visitgrain.tables import Table
from visitgrain.tables.runs import INGEST_MANIFEST


def quarantined(
    spark: SparkSession, refused: DataFrame, table: Table, files: Mapping[str, Accepted], kind: str, day: date
) -> DataFrame:
    """Refused rows as rows of `quarantined_events`. `kind` is what their position counts: byte or row."""
    names = spark.createDataFrame(
        [(key, item.file.name, item.file.file_hash) for key, item in files.items()],
        "_file string, file string, file_hash string",
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
    )


def not_yet(rows: DataFrame, stored: DataFrame | None, table: Table) -> DataFrame:
    """Rows whose key the table does not have: what a killed run already wrote is not written twice."""
    return rows if stored is None else rows.join(stored.select(*table.key), on=list(table.key), how="left_anti")


def conflicts(contested: DataFrame, table: Table) -> DataFrame:
    """Losing rows, new ones and those that had stood until now, as rows of `conflicting_events`."""
    columns = F.struct(*(name for name in table.column_names if name not in ("source", "load_id")))
    return contested.where(F.col(OUTCOME) == CONFLICTING).select(
        "event_id",
        "event_date",
        "received_time",
        F.col(PAYLOAD_HASH).alias("payload_hash"),
        F.to_json(columns).alias("payload"),
        "source",
        "load_id",
    )


def manifest(spark: SparkSession, files: Iterable[SourceFile], source: str, load_id: str, now: datetime) -> DataFrame:
    """One row per file taken over."""
    rows = [(f.file_hash, source, f.name, f.bytes, load_id, now) for f in files]
    return spark.createDataFrame(rows, INGEST_MANIFEST.ddl)
