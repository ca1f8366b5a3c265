"""Files -> rows in Spark, each with its file, its exact position and, where it could not be read, the reason.

Every frame has the columns of `FRAME` and the fields of the source as c0, c1, …; `Rows.columns` says what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, functions as F
from pyspark.sql.types import DataType

from visitgrain.expressions.conversions import to_time
from visitgrain.expressions.typed import Sort, Typed
from visitgrain.sources.gate import Accepted
from visitgrain.sources.rows import Layout, Parser, body, parser

FRAME = "_file string, _position bigint, _raw string, _reason string, _payload_hash string"
BATCH = 20_000  # records of an Arrow batch
MAX_TASKS = 1_000


@dataclass(frozen=True)
class Rows:
    """`files` leads from `place_of(_file)` back to the file."""

    frame: DataFrame
    columns: Mapping[str, Typed]
    files: Mapping[str, Accepted]


def text_rows(spark: SparkSession, accepted: Sequence[Accepted], layout: Layout, wanted: Sequence[str]) -> Rows:
    """Text files, one task each: compressed files cannot be split, and a record may span lines."""
    listing = [(str(a.file.path), a.file.name, list(a.columns or ())) for a in accepted]
    files = spark.createDataFrame(listing, "path string, name string, columns array<string>")
    schema = ", ".join([FRAME, *(f"c{n} string" for n in range(len(wanted)))])
    rows = files.repartition(min(len(listing), MAX_TASKS)).mapInArrow(_reader(layout, tuple(wanted)), schema)
    columns = {name: Typed(F.col(f"c{n}"), Sort.TEXT) for n, name in enumerate(wanted)}
    return Rows(rows, columns, {a.file.name: a for a in accepted})


def _reader(layout: Layout, wanted: tuple[str, ...]) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for file in batch.to_pylist():
                parse = parser(layout, file["columns"], wanted)
                for block in body(Path(file["path"]), layout):
                    for start in range(0, len(block), BATCH):
                        yield _arrow(file["name"], block[start : start + BATCH], parse, len(wanted))

    return read


def _arrow(name: str, block: list, parse: Parser, width: int) -> pa.RecordBatch:  # type: ignore[type-arg]  # of Record
    parsed = iter(parse([record.text for record in block if record.reason is None]))
    fields = [record.reason or next(parsed) for record in block]
    nothing = (None,) * width
    values = zip(*(nothing if isinstance(found, str) else found for found in fields), strict=True)
    arrays = [
        pa.repeat(pa.scalar(name), len(block)),
        pa.array([record.offset for record in block], pa.int64()),
        pa.array([record.text for record in block], pa.string()),
        pa.array([found if isinstance(found, str) else None for found in fields], pa.string()),
        pa.array([record.payload_hash for record in block], pa.string()),
        *(pa.array(column, pa.string()) for column in values),
    ]
    names = [part.split()[0] for part in FRAME.split(", ")] + [f"c{n}" for n in range(width)]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def parquet_rows(
    spark: SparkSession, accepted: Sequence[Accepted], wanted: Sequence[str], zone: str, nulls: frozenset[str]
) -> Rows:
    """Parquet files of one schema; the position is the row number in the file."""
    spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")  # pandas writes nanoseconds, Spark knows none
    frame = spark.read.parquet(*(str(a.file.path.resolve()) for a in accepted))
    schema = accepted[0].schema
    assert schema is not None
    present = [name for name in wanted if name in schema.names]
    types = {field.name: field.dataType for field in frame.schema.fields}
    selected = frame.select(
        F.col("_metadata.file_path").alias("_file"),
        F.col("_metadata.row_index").alias("_position"),
        F.to_json(F.struct("*")).alias("_raw"),
        *(F.lit(None).cast("string").alias(name) for name in ("_reason", "_payload_hash")),
        *(F.col(f"`{name}`").alias(f"c{n}") for n, name in enumerate(present)),
    )
    columns = {
        name: _typed(f"c{n}", types[name], schema.field(name).type, zone, nulls) for n, name in enumerate(present)
    }
    absent = {name: Typed(F.lit(None).cast("string"), Sort.NULL) for name in wanted if name not in present}
    return Rows(selected, {**columns, **absent}, {str(a.file.path.resolve()): a for a in accepted})


def place_of(spelling: str) -> str:
    """Key of a file in `Rows.files` from what `_file` says. Spark spells a Parquet file as an encoded URI."""
    return unquote(urlparse(spelling).path) if spelling.startswith("file:") else spelling


def _typed(name: str, spark_type: DataType, arrow_type: pa.DataType, zone: str, nulls: frozenset[str]) -> Typed:
    column = F.col(name)
    if pa.types.is_timestamp(arrow_type) and arrow_type.unit == "ns":
        instant = F.timestamp_micros(F.expr(f"{name} div 1000"))
        return Typed(instant if arrow_type.tz else F.to_utc_timestamp(instant, zone), Sort.TIME)
    match spark_type.typeName():
        case "string" | "char" | "varchar":
            return Typed(F.when(~column.isin(*nulls), column) if nulls else column, Sort.TEXT)
        case "byte" | "short" | "integer" | "long":
            return Typed(column.cast("bigint"), Sort.INT)
        case "float" | "double":
            return Typed(F.when(~F.isnan(column), column.cast("double")), Sort.FLOAT)
        case "decimal":
            return Typed(column, Sort.DECIMAL)
        case "boolean":
            return Typed(column, Sort.BOOL)
        case "timestamp":
            return Typed(column, Sort.TIME)
        case "timestamp_ntz":
            return to_time(Typed(column.cast("string"), Sort.TEXT), zone)
        case "date":
            return Typed(column, Sort.DATE)
        case "map":
            return Typed(column, Sort.MAP)
        case "binary":
            return Typed(column.try_cast("string"), Sort.TEXT)
        case _:
            return Typed(F.to_json(column), Sort.JSON)
