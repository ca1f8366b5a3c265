"""Columns of Parquet files as fields of a source: what sort each is, what no table can hold, what nobody reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, functions as F
from pyspark.sql.types import StructField, StructType

from visitgrain.catalogue.source import Source
from visitgrain.expressions.conversions import to_time
from visitgrain.expressions.typed import Sort, Typed
from visitgrain.sources.fields import MAX_FIELD

NANOSECONDS = "nanoseconds"  # metadata of a column that Spark reads as a number: 'utc' or 'zoneless'
_TEXTS = ("string", "char", "varchar")
_NESTED = ("struct", "array", "map")


@dataclass(frozen=True)
class Fields:
    """`selected`: `_reason`, `_payload_hash`, `_rescued` and c0, c1, …; `columns`: what these are, by name."""

    selected: list[Column]
    columns: dict[str, Typed]


def described(spark_schema: StructType, file_schema: pa.Schema) -> StructType:
    """The schema as Spark reads it, with a note where a number is a time in nanoseconds."""

    def noted(field: StructField) -> StructField:
        kind = file_schema.field(field.name).type if field.name in file_schema.names else None
        # INT96, as Spark and Hive write it, looks like nanoseconds to Arrow; Spark reads it as a time.
        if field.dataType.typeName() == "long" and kind is not None and pa.types.is_timestamp(kind):
            note = {NANOSECONDS: "utc" if kind.tz else "zoneless"}
            return StructField(field.name, field.dataType, metadata=note)
        return StructField(field.name, field.dataType)

    return StructType([noted(field) for field in spark_schema.fields])


def fields_of(schema: StructType, wanted: Sequence[str], others: Sequence[str], source: Source) -> Fields:
    """The wanted columns, absent ones as missing, and the `others` to rescue, of a frame with this schema."""
    nulls = frozenset(source.nulls)
    present = [name for name in wanted if name in schema.names]
    selected = [
        _unreadable([name for name in [*present, *others] if schema[name].dataType.typeName() in _TEXTS]),
        F.lit(None).cast("string").alias("_payload_hash"),
        _rescued(others, schema, nulls).alias("_rescued"),
        *(F.col(f"`{name}`").alias(f"c{n}") for n, name in enumerate(present)),
    ]
    columns = {name: _typed(f"c{n}", schema[name], source.zone, nulls) for n, name in enumerate(present)}
    absent = {name: Typed(F.lit(None).cast("string"), Sort.NULL) for name in wanted if name not in present}
    return Fields(selected, {**columns, **absent})


def _unreadable(texts: Sequence[str]) -> Column:
    """`encoding` for bytes that are no UTF-8 and for NUL, `size` for a field over 64 KiB.

    As SQL text, which is parsed in one go: built call by call, 30 columns cost a second before anything runs.
    """
    quoted = [f"`{name.replace('`', '``')}`" for name in texts]
    problems = [
        f"CASE WHEN octet_length({name}) > {MAX_FIELD} THEN 'size' "
        f"WHEN NOT is_valid_utf8({name}) OR contains({name}, chr(0)) THEN 'encoding' END"
        for name in quoted
    ]
    return F.expr(f"coalesce({', '.join([*problems, 'CAST(NULL AS STRING)'])})").alias("_reason")


def _rescued(names: Sequence[str], schema: StructType, nulls: frozenset[str]) -> Column:
    """The columns as a map of texts, in order of name; missing ones are left out."""
    if not names:
        return F.lit(None).cast("map<string,string>")

    def text(name: str) -> Column:
        column = F.col(f"`{name}`")
        kind = schema[name].dataType.typeName()
        if kind in _NESTED:
            return F.to_json(column)
        as_text = F.base64(column) if kind == "binary" else column.cast("string")
        return F.when(~as_text.isin(*nulls), as_text) if nulls and kind in _TEXTS else as_text

    entries = F.array(*(F.struct(F.lit(name).alias("key"), text(name).alias("value")) for name in sorted(names)))
    given = F.filter(entries, lambda entry: entry["value"].isNotNull())
    return F.when(F.size(given) > 0, F.map_from_entries(given))


def _typed(name: str, field: StructField, zone: str, nulls: frozenset[str]) -> Typed:
    column = F.col(name)
    if note := (field.metadata or {}).get(NANOSECONDS):
        instant = F.timestamp_micros(F.expr(f"{name} div 1000"))
        return Typed(instant if note == "utc" else F.to_utc_timestamp(instant, zone), Sort.TIME)
    match field.dataType.typeName():
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
