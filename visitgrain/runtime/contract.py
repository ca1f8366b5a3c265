"""The schema contract at both edges of a job: a frame has the declared columns, all of them and no others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache

import pyarrow as pa
from pyspark.sql import DataFrame, functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from visitgrain.errors import GateRefused
from visitgrain.runtime.delta_log import READER_VERSION, Snapshot, part_of
from visitgrain.tables import Table

ROWS, OUTCOME, KEPT = "_rows", "_outcome", "kept"
PART = "_part"  # of the table that a row belongs to: its files are kept apart from those of other parts
_SIMPLE: dict[str, DataType] = {
    type_.simpleString(): type_
    for type_ in (StringType(), LongType(), IntegerType(), DoubleType(), BooleanType(), DateType(), TimestampType())
}
_RESERVED = {ROWS: ("int", "bigint"), OUTCOME: ("string",)}
# Casts that never lose a value; anything else is the transform's business.
_LOSSLESS = {
    "tinyint": {"smallint", "int", "bigint", "float", "double"},
    "smallint": {"int", "bigint", "float", "double"},
    "int": {"bigint", "double"},
    "float": {"double"},
}


@cache
def declared_schema(table: Table) -> StructType:
    """The declaration as a Spark schema, with each column's meaning as its comment."""
    fields = [StructField(c.name, _type(c.type), c.nullable, {"comment": c.description}) for c in table.columns]
    return StructType(fields)


def _type(name: str) -> DataType:
    """Spark parses types, too, but in the JVM, which reports and maintenance do without."""
    kind, _, rest = name.partition("<")
    inner = _parts(rest[:-1])
    if kind == "array":
        return ArrayType(_type(inner[0]))
    if kind == "map":
        return MapType(_type(inner[0]), _type(inner[1]))
    if kind == "struct":
        pairs = [part.split(":", 1) for part in inner]
        return StructType([StructField(field.strip(), _type(type_)) for field, type_ in pairs])
    return _SIMPLE[name]


def _parts(text: str) -> list[str]:
    """What stands between the commas of `text`, those within <> left alone."""
    parts, depth = [""], 0
    for character in text:
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def check_readable(table: Table, found: Snapshot) -> None:
    """Raises GateRefused on a protocol that not all engines read, and on files of which nobody knows the part."""
    if found.reader_version > READER_VERSION:
        raise GateRefused(
            f"table {table.name}: reader protocol {found.reader_version}; allowed is {READER_VERSION}, "
            "which all engines read. Somebody enabled a table feature; delete the table's folder, run its job again"
        )
    strange = [file.path for file in found.files if table.parts and file.part not in table.parts]
    if strange:
        raise GateRefused(
            f"table {table.name}: {strange[0]} is of another program or an earlier version, so nobody knows "
            f"whether its rows are {' or '.join(table.parts)}; delete the table's folder, run its jobs again"
        )


def in_part_of(path: str, rows: pa.Table) -> pa.Table:
    """`rows`, to be written into the part of the table that the file belongs to."""
    return rows.append_column(PART, pa.repeat(part_of(path), rows.num_rows))


def stored_schema(schema_json: str) -> StructType:
    """The schema of a table as its log holds it."""
    return StructType.fromJson(json.loads(schema_json))


@cache
def arrow_schema(table: Table) -> pa.Schema:
    """The declaration as an Arrow schema, instants in UTC. Nulls are counted when rows are written."""
    found = to_arrow_schema(declared_schema(table), timezone="UTC")
    return pa.schema([(field.name, field.type) for field in found])


def conformed(frame: DataFrame, table: Table, *, edge: str) -> DataFrame:
    """Declared columns in declared order and type; reserved columns behind them. Raises as `check_columns` does."""
    check_columns(frame.schema, table, edge=edge)
    found, declared = _types(frame.schema), _types(declared_schema(table))
    same = [F.col(n) if found[n] == t else F.col(n).cast(t).alias(n) for n, t in declared.items()]
    return frame.select(*same, *_reserved_in(found, edge))


def check_columns(schema: StructType, table: Table, *, edge: str) -> None:
    """Raises GateRefused, with all problems, when `schema` has other columns than declared or types that lose values.

    `edge` says whose schema it is: 'stored' or 'written'.
    """
    found, declared = _types(schema), _types(declared_schema(table))
    reserved = _reserved_in(found, edge)
    problems = [f"missing column {name} ({type_})" for name, type_ in declared.items() if name not in found]
    problems += [
        f"extra column {name} ({found[name]})" for name in found if name not in declared and name not in reserved
    ]
    problems += [
        f"column {name} is {found[name]}, declared {type_}"
        for name, type_ in declared.items()
        if name in found and found[name] != type_ and type_ not in _LOSSLESS.get(found[name], ())
    ]
    problems += [
        f"column {name} is {found[name]}, must be {' or '.join(_RESERVED[name])}"
        for name in reserved
        if found[name] not in _RESERVED[name]
    ]
    if len(found) < len(schema.fields):
        problems.append("a column name occurs twice")
    if problems:
        fix = (
            "change the transform"
            if edge == "written"
            else f"rebuild the table with this version (delete {table.name} and _receipts/{table.name}.json first)"
        )
        raise GateRefused(f"table {table.name}, as {edge}: {'; '.join(problems)}. Declared in visitgrain/tables; {fix}")


def _types(schema: StructType) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in schema.fields}


def _reserved_in(names: Iterable[str], edge: str) -> list[str]:
    return [name for name in _RESERVED if name in names and edge == "written"]
