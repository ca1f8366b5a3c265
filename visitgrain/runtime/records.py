"""Small tables that are read without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visitgrain.runtime import delta_log
from visitgrain.runtime.file_check import check_files
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table


def records(store: Store, table: Table, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """All rows by column name, in no order: all declared columns, or those of `columns` that the files have.

    None when the table does not exist. Raises GateRefused on damage.
    """
    # By the files, as the lake reads: deltalake's own reader now and then aborts a process that ends right after.
    names = list(columns or table.column_names)
    files = delta_log.files(store, table)
    check_files(store, table, files)
    tables = [store.read_parquet(f"{table.name}/{file.path}", names) for file in files]
    return [row for rows in tables for row in rows.to_pylist(maps_as_pydicts="strict")]
