"""Small tables for specs: `a | b` text with `-` for null becomes rows of a declared table; the rest is zero or null."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from visitgrain.arrow.rows import TableFiles
from visitgrain.runtime.lake import Lake
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


def rows_to_files(spark, table: Table, rows: list[dict[str, Any]], folder: Path) -> TableFiles:
    """The rows as the files of a lake's table, for transforms that read in the workers."""
    lake = Lake(spark, str(folder), str(ZONE))
    lake.append(table, rows, run_id="spec")
    return lake.files(table)


def found(frame, *names: str) -> list[tuple]:
    """The rows of the named columns, sorted, nulls first."""
    rows = [tuple(row) for row in frame.select(*names).collect()]
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
