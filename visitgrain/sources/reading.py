"""Files -> rows in Spark, each with its file, its exact position and, where it could not be read, the reason.

Every frame has the columns of `FRAME` and the fields of the source as c0, c1, …; `Rows.columns` says what they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, functions as F

from visitgrain.catalogue.source import Source
from visitgrain.expressions.typed import Sort, Typed
from visitgrain.sources.fields import Wanted
from visitgrain.sources.gate import Accepted, known
from visitgrain.sources.parquet_fields import described, fields_of
from visitgrain.sources.records import Record
from visitgrain.sources.rows import Layout, Parser, body, parser

RESCUED = pa.map_(pa.string(), pa.string())
FRAME = {
    "_file": pa.string(),
    "_position": pa.int64(),
    "_raw": pa.string(),
    "_reason": pa.string(),
    "_payload_hash": pa.string(),
    "_rescued": RESCUED,
}
DDL = "_file string, _position bigint, _raw string, _reason string, _payload_hash string, _rescued map<string,string>"
BATCH = 20_000  # records of an Arrow batch
MAX_TASKS = 1_000
# to_json would cut microseconds: the payload must hold what the file held.
_EXACT_TIMES = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}


@dataclass(frozen=True)
class Place:
    """Where rows come from, as quarantine keeps it. `columns` says how to read a row of the file again (JSON)."""

    file: str
    file_hash: str
    columns: str


@dataclass(frozen=True)
class Rows:
    """`places` leads from `place_of(_file)` back to the file; `carried` are columns that mapped rows keep."""

    frame: DataFrame
    columns: Mapping[str, Typed]
    places: Mapping[str, Place]
    carried: tuple[str, ...] = ()


def text_rows(spark: SparkSession, accepted: Sequence[Accepted], source: Source, wanted: Sequence[str]) -> Rows:
    """Text files, one task each: compressed files cannot be split, and a record may span lines."""
    listing = [
        (str(a.file.path), a.file.name, list(a.columns or ()), sorted(known(a, source)) if source.rescues else None)
        for a in accepted
    ]
    files = spark.createDataFrame(listing, "path string, name string, columns array<string>, known array<string>")
    read = _reader(Layout.of(source), tuple(wanted), source.ignored)
    rows = files.repartition(min(len(listing), MAX_TASKS)).mapInArrow(read, text_ddl(wanted))
    return Rows(rows, text_fields(wanted), {a.file.name: _text_place(a) for a in accepted})


def text_ddl(wanted: Sequence[str]) -> str:
    return ", ".join([DDL, *(f"c{n} string" for n in range(len(wanted)))])


def text_fields(wanted: Sequence[str]) -> dict[str, Typed]:
    return {name: Typed(F.col(f"c{n}"), Sort.TEXT) for n, name in enumerate(wanted)}


def _text_place(accepted: Accepted) -> Place:
    return Place(accepted.file.name, accepted.file.file_hash, json.dumps(accepted.columns, ensure_ascii=False))


def _reader(
    layout: Layout, wanted: tuple[str, ...], ignored: tuple[str, ...]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for file in batch.to_pylist():
                names = frozenset(file["known"]) if file["known"] is not None else None
                parse = parser(layout, file["columns"], Wanted(wanted, names, ignored))
                for block in body(Path(file["path"]), layout):
                    for start in range(0, len(block), BATCH):
                        yield parsed_batch(file["name"], block[start : start + BATCH], parse, len(wanted))

    return read


def parsed_batch(name: str, block: Sequence[Record], parse: Parser, width: int) -> pa.RecordBatch:
    """Records of one file as rows of a frame."""
    parsed = iter(parse([record.text for record in block if record.reason is None]))
    fields = [record.reason or next(parsed) for record in block]
    nothing = (None,) * (width + 1)
    *values, rescued = zip(*(nothing if isinstance(found, str) else found for found in fields), strict=True)
    arrays = [
        pa.repeat(pa.scalar(name), len(block)),
        pa.array([record.offset for record in block], pa.int64()),
        pa.array([record.text for record in block], pa.string()),
        pa.array([found if isinstance(found, str) else None for found in fields], pa.string()),
        pa.array([record.payload_hash for record in block], pa.string()),
        pa.array([sorted(found.items()) if found else None for found in rescued], RESCUED),
        *(pa.array(column, pa.string()) for column in values),
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[*FRAME, *(f"c{n}" for n in range(width))])


def parquet_rows(spark: SparkSession, accepted: Sequence[Accepted], source: Source, wanted: Sequence[str]) -> Rows:
    """Parquet files of one schema that feed the same tables; the position is the row number in the file."""
    spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")  # pandas writes nanoseconds, Spark knows none
    first = accepted[0]
    assert first.schema is not None
    frame = spark.read.parquet(*(str(a.file.path.resolve()) for a in accepted))
    schema = described(frame.schema, first.schema)
    others = Wanted((), known(first, source) if source.rescues else None, source.ignored).rescued(schema.names)
    fields = fields_of(schema, wanted, others, source)
    selected = frame.select(
        F.col("_metadata.file_path").alias("_file"),
        F.col("_metadata.row_index").alias("_position"),
        F.to_json(F.struct("*"), _EXACT_TIMES).alias("_raw"),
        *fields.selected,
    )
    columns = schema.json()
    places = {str(a.file.path.resolve()): Place(a.file.name, a.file.file_hash, columns) for a in accepted}
    return Rows(selected, fields.columns, places)


def place_of(spelling: str) -> str:
    """Key of a file in `Rows.places` from what `_file` says. Spark spells a Parquet file as an encoded URI."""
    return unquote(urlparse(spelling).path) if spelling.startswith("file:") else spelling
