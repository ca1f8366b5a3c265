"""Give everybody another pseudonym, in every row of every table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from visitgrain.arrow.rows import ArrowRows, parts_of, read_part
from visitgrain.errors import GateRefused
from visitgrain.runtime import partitions
from visitgrain.runtime.contract import in_part_of
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.listing import listed
from visitgrain.tables import Table
from visitgrain.tables.model import Column, Identity

_COUNT = pa.schema([("rows", pa.int64())])
_ID = re.compile(r"(?<![0-9])[0-9]{15,19}(?![0-9])")


@dataclass(frozen=True, eq=False)
class Names:
    """Old pseudonyms in ascending order, and the new one of each. Sent to every worker: 16 bytes per subscriber.

    `resealed`: a row kept as it came, with its numbers sealed by the new key.
    """

    old: NDArray[np.int64]
    new: NDArray[np.int64]
    resealed: Callable[[str], str]

    @classmethod
    def of(cls, pairs: dict[int, int], resealed: Callable[[str], str]) -> Names:
        old = np.array(sorted(pairs), np.int64)
        return cls(old, np.array([pairs[int(each)] for each in old], np.int64), resealed)

    def renamed(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Whoever has no new name keeps the old one."""
        if not len(self.old):
            return ids
        place = np.searchsorted(self.old, ids).clip(max=len(self.old) - 1)
        return np.where(self.old[place] == ids, self.new[place], ids)

    def unknown(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Neither old names nor new ones."""
        return ~(np.isin(ids, self.old) | np.isin(ids, self.new))

    def text(self, text: str | None) -> str | None:
        return text and _ID.sub(lambda found: str(self.renamed(np.array([int(found[0])]))[0]), text)


def concerned(table: Table) -> list[Column]:
    """Columns of pseudonyms."""
    return [column for column in table.identities if column.identity is not Identity.DEVICE]


def unknown_rows(lake: Lake, table: Table, names: Names) -> int:
    """Rows of somebody who has no new name."""
    files = lake.data_files(table)
    if not files or not concerned(table):
        return 0
    listing = listed(lake.spark, lake.path(table), files).listing
    counts = listing.mapInArrow(partial(_unknown, table=table, names=names), "rows bigint").collect()
    return sum(row["rows"] for row in counts)


def rename(lake: Lake, table: Table, names: Names, *, run_id: str) -> None:
    """Rewrite the table. Raises GateRefused, with nothing changed, when it would have another number of rows."""
    files = lake.data_files(table)
    if not files:
        return
    listing = listed(lake.spark, lake.path(table), files).listing
    rows = ArrowRows(listing, partial(_renamed, table=table, names=names))
    staged = lake.stage(table, rows, replaces=partitions.in_window((None, None)))
    before = sum(file.rows for file in files)
    if staged.content.rows != before:
        lake.discard(staged)
        raise GateRefused(f"table {table.name}: {before} rows under old names, {staged.content.rows} under new ones")
    lake.commit(staged, run_id=run_id)


def _unknown(listing: Iterable[pa.RecordBatch], *, table: Table, names: Names) -> Iterator[pa.RecordBatch]:
    found = 0
    columns = {name for c in concerned(table) for name in (c.name, *(c.identity_where or ())[:1])}
    for file in parts_of(listing):
        rows = read_part(file, sorted(columns))
        for column in concerned(table):
            ids = rows[column.name].filter(_meant(rows, column)).drop_null()
            found += int(names.unknown(ids.to_numpy()).sum())
    yield pa.RecordBatch.from_pydict({"rows": [found]}, schema=_COUNT)


def _renamed(listing: Iterable[pa.RecordBatch], *, table: Table, names: Names) -> Iterator[pa.Table]:
    for file in parts_of(listing):
        rows = read_part(file, table.column_names)
        for column in concerned(table):
            rows = _set(rows, column.name, _ids(rows, column, names))
        for each in table.columns:
            if each.type == "map<string,string>":
                maps = [m and [(k, names.text(v)) for k, v in m] for m in rows[each.name].to_pylist()]
                rows = _set(rows, each.name, pa.array(maps, pa.map_(pa.string(), pa.string())))
            elif each.name == "payload":
                # A refused row is what the feed said: its hash holds. Only its sealed numbers are of the old key.
                change = names.resealed if table.name == "quarantined_events" else names.text
                texts = [text and change(text) for text in rows[each.name].to_pylist()]
                rows = _set(rows, each.name, pa.array(texts, pa.string()))
        yield in_part_of(file.path, rows)


def _ids(rows: pa.Table, column: Column, names: Names) -> pa.Array:
    ids, meant = rows[column.name].combine_chunks(), _meant(rows, column)
    new = names.renamed(ids.fill_null(0).to_numpy(zero_copy_only=False))
    return pc.if_else(pc.and_(ids.is_valid(), meant), pa.array(new), ids)


def _meant(rows: pa.Table, column: Column) -> pa.Array:
    """Per row: does the column hold a pseudonym there?"""
    if column.identity_where is None:
        return pa.repeat(pa.scalar(True), rows.num_rows)
    name, value = column.identity_where
    return pc.equal(rows[name].combine_chunks(), value)


def _set(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, values)
