"""Small tables that are read without Spark."""

from __future__ import annotations

from typing import Any

from visitgrain.runtime import delta_log
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table


def records(store: Store, table: Table, columns: list[str]) -> list[dict[str, Any]]:
    """All rows by column name, those of `columns` that the files have; none when the table does not exist."""
    version = delta_log.verified_version(store, table)
    if version == delta_log.NO_VERSION:
        return []
    # By the files, as the lake reads: deltalake's own reader now and then aborts a process that ends right after.
    files = delta_log.snapshot(store, table, version).files
    tables = [store.read_parquet(f"{table.name}/{file.path}", columns) for file in files]
    return [row for rows in tables for row in rows.to_pylist(maps_as_pydicts="strict")]
