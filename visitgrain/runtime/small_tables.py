"""Tables of a few rows, written without Spark: requests, proofs, tombstones, the audit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import deltalake
import pyarrow as pa

from visitgrain.runtime import delta_log
from visitgrain.runtime.creation import create
from visitgrain.runtime.file_writer import FileWriter
from visitgrain.runtime.locks import TableLocks, lock_folder
from visitgrain.runtime.statistics import statistics_columns
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table

CODEC = "snappy"
_TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
}
_MAP = re.compile(r"map<(\w+),(\w+)>")


@contextmanager
def locked(store: Store, *tables: Table, wait_s: float) -> Iterator[None]:
    """Be the only writer of `tables`, where no lake is open. Raises Locked."""
    with TableLocks(lock_folder(store), wait_s=wait_s).hold([table.name for table in tables]):
        yield


def write_rows(
    store: Store, table: Table, rows: Sequence[Mapping[str, Any]], *, run_id: str, replace: bool = False
) -> None:
    """Add `rows`, or make them those of the table. The caller holds the table's lock."""
    schema = _schema(table)
    version = delta_log.verified_version(store, table)
    if version == delta_log.NO_VERSION:
        if not rows:
            return
        as_delta = deltalake.Schema.from_arrow(schema).to_json()
        create(store, table, schema_json=as_delta, partition=None, run_id=run_id)
        version = 0
    upon = delta_log.snapshot(store, table, version)
    removed = upon.files if replace else ()
    written = _writer(store, table, schema).write(iter(pa.Table.from_pylist(list(rows), schema).to_batches()))
    if written.files or removed:
        delta_log.commit(store, table, upon=upon, added=written.files, removed=removed, run_id=run_id)


def _schema(table: Table) -> pa.Schema:
    return pa.schema([pa.field(c.name, _type(c.type), nullable=c.nullable) for c in table.columns])


def _type(name: str) -> pa.DataType:
    found = _MAP.fullmatch(name)
    return pa.map_(_TYPES[found[1]], _TYPES[found[2]]) if found else _TYPES[name]


def _writer(store: Store, table: Table, schema: pa.Schema) -> FileWriter:
    return FileWriter(
        root=store.path(table.name),
        schema=schema,
        not_null=tuple(column.name for column in table.columns if not column.nullable),
        statistics=statistics_columns(table),
        hashed=tuple(column.name for column in table.columns if not column.provenance),
        partition=None,
        codec=CODEC,
    )
