"""Tables of a few rows, written without Spark: requests, proofs, tombstones, the audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from visitgrain.runtime import delta_log
from visitgrain.runtime.contract import declared_schema
from visitgrain.runtime.creation import create
from visitgrain.runtime.locks import TableLocks, lock_folder
from visitgrain.runtime.staging import writer_of
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table

CODEC = "snappy"


@contextmanager
def locked(store: Store, *tables: Table, wait_s: float) -> Iterator[None]:
    """Be the only writer of `tables`, where no lake is open. Raises Locked."""
    with TableLocks(lock_folder(store), wait_s=wait_s).hold([table.name for table in tables]):
        yield


def write_rows(
    store: Store, table: Table, rows: Sequence[Mapping[str, Any]], *, run_id: str, replace: bool = False
) -> None:
    """Add `rows`, or make them those of the table. The caller holds the table's lock."""
    version = delta_log.verified_version(store, table)
    if version == delta_log.NO_VERSION:
        if not rows:
            return
        create(store, table, schema_json=declared_schema(table).json(), partition=table.partition, run_id=run_id)
        version = 0
    upon = delta_log.snapshot(store, table, version)
    removed = upon.files if replace else ()
    writer = writer_of(table, store.path(table.name), CODEC, None)
    written = writer.write(iter(pa.Table.from_pylist(list(rows), writer.schema).to_batches()))
    if written.files or removed:
        delta_log.commit(store, table, upon=upon, added=written.files, removed=removed, run_id=run_id)
