"""Small tables for specs: `a | b` text with `-` for null becomes rows of a declared table; the rest is zero or null."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from visitgrain.arrow.rows import FilePart
from visitgrain.tables import Table

ZONE = ZoneInfo("Asia/Shanghai")
READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "bigint": int,
    "double": float,
    "string": str,
    "boolean": lambda text: {"yes": True, "no": False}[text],
    "date": date.fromisoformat,
    "timestamp": lambda text: datetime.fromisoformat(text).replace(tzinfo=ZONE),
    "array<string>": lambda text: [part for part in text.split("+") if part != "none"],
}
ARROW: dict[str, pa.DataType] = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
    "map<string,double>": pa.map_(pa.string(), pa.float64()),
    "map<string,int>": pa.map_(pa.string(), pa.int32()),
}
ZEROS = {"int": 0, "bigint": 0, "double": 0.0, "string": "", "boolean": False, "date": date(2025, 3, 1)}


def read_rows(table: Table, text: str, **constants: Any) -> list[dict[str, Any]]:
    """One dict per line of the pipe table, with every column of `table`."""
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    for name in (*header, *constants):
        table.column(name)
    return [{**_zeros(table), **constants, **_named(table, header, line)} for line in lines]


def to_frame(spark, table: Table, text: str, **constants: Any):
    """The pipe table as a DataFrame of the declared schema."""
    return rows_to_frame(spark, table, read_rows(table, text, **constants))


def rows_to_frame(spark, table: Table, rows: list[dict[str, Any]]):
    names = table.column_names
    return spark.createDataFrame([tuple(row[name] for name in names) for row in rows], table.ddl)


def rows_to_arrow(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    """The rows in Arrow's types for those that are declared; columns of days within a visit are left out."""
    schema = pa.schema([(column.name, ARROW[column.type]) for column in table.columns if column.type in ARROW])
    plain = [{n: list(v.items()) if isinstance(v, dict) else v for n, v in row.items()} for row in rows]
    return pa.Table.from_pylist(plain, schema=schema)


def rows_to_file(table: Table, rows: list[dict[str, Any]], folder: Path) -> FilePart:
    """The rows as a Parquet file, for what reads in the workers."""
    path = folder / f"{table.name}-{len(list(folder.iterdir()))}.parquet"
    pq.write_table(rows_to_arrow(table, rows), path)
    return FilePart(0, str(path), None, 0, 1, len(rows), 0)


def arrow_rows(table: pa.Table, *names: str) -> list[tuple]:
    """The rows of the named columns, sorted, nulls first."""
    return _sorted(zip(*(table[name].to_pylist() for name in names), strict=True))


def found(frame, *names: str) -> list[tuple]:
    """The rows of the named columns, sorted, nulls first."""
    return _sorted(tuple(row) for row in frame.select(*names).collect())


def _sorted(rows: Iterable[tuple]) -> list[tuple]:
    return sorted(rows, key=lambda row: [(value is not None, value) for value in row])


def _named(table: Table, header: list[str], line: list[str]) -> dict[str, Any]:
    return {
        name: None if cell == "-" else READERS[table.column(name).type](cell)
        for name, cell in zip(header, line, strict=True)
    }


def _zeros(table: Table) -> dict[str, Any]:
    return {column.name: None if column.nullable else _zero(column.type) for column in table.columns}


def _zero(type_: str) -> Any:
    if type_ == "timestamp":
        return datetime(2025, 3, 1, tzinfo=ZONE)
    return {} if type_.startswith("map") else [] if type_.startswith("array") else ZEROS[type_]
