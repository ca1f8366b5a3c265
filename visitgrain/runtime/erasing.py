"""Take persons out of every table that can hold them, and look whether anything of them is left."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from visitgrain.arrow.rows import ArrowRows, parts_of, read_part
from visitgrain.runtime import partitions
from visitgrain.runtime.contract import in_part_of
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.listing import listed
from visitgrain.runtime.people import People
from visitgrain.tables import TABLES, Kind, Table

_FOUND = pa.schema([("partition", pa.date32()), ("rows", pa.int64())])
Days = dict[date | None, int]


def reached() -> tuple[Table, ...]:
    """Tables of the lake that can hold somebody: by a column that stands for one, or in a text as it came."""
    lake = (table for table in TABLES.values() if table.kind is not Kind.VAULT)
    return tuple(table for table in lake if table.identities or table.texts_of_persons)


def rows_of(lake: Lake, table: Table, people: People) -> Days:
    """Rows of `people`, by partition value; read in the workers, the columns that matter only."""
    files = lake.data_files(table)
    if not files:
        return {}
    listing = listed(lake.spark, lake.path(table), files).listing
    found = listing.mapInArrow(partial(_counted, table=table, people=people), "partition: date, rows: bigint").collect()
    total: Counter[date | None] = Counter()
    for row in found:
        total[row["partition"]] += row["rows"]
    return dict(total)


def remove(lake: Lake, table: Table, people: People, days: Days, *, run_id: str) -> None:
    """Rewrite the partitions `days` without the rows of `people`. No predicate is committed that could name them."""
    meant = partitions.in_window((None, None)) if table.partition is None else partitions.among(d for d in days if d)
    files = [file for file in lake.data_files(table) if file.partition is None or meant(file.partition)]
    listing = listed(lake.spark, lake.path(table), files).listing
    rows = ArrowRows(listing, partial(_others, table=table, people=people))
    lake.commit(lake.stage(table, rows, replaces=meant), run_id=run_id)


@dataclass(frozen=True)
class Search:
    """Files read from end to end, and those in which something was found."""

    files: int
    found: tuple[str, ...]


def search(lake: Lake, people: People, *, but: Table, folders: Iterable[Path] = ()) -> Search:
    """Look for `people` in the rows of each table, and for their names in all other files; not in the table `but`.

    Rows are looked at in the workers. Read here are logs, receipts, results and whatever else lies there.
    `folders`: more places outside of the lake, and files; those that do not exist hold nothing.
    """
    found = [table.name for table in reached() if table is not but and rows_of(lake, table, people)]
    either = b"|".join(re.escape(name.encode()) for name in people.names)
    names = re.compile(rb"(?<![0-9A-Za-z_])(?:" + either + rb")(?![0-9A-Za-z_])")
    files = 0
    for name in lake.store.below():
        if name.startswith(f"{but.name}/") or _is_data(name):
            continue
        files += 1
        content = lake.store.read_bytes(name)
        if names.search(content) or ("_delta_log" in name and names.search(_texts(content, name))):
            found.append(name)
    for path in (file for folder in folders for file in _files(folder)):
        files += 1
        if names.search(path.read_bytes()):
            found.append(str(path))
    return Search(files, tuple(found))


def _is_data(name: str) -> bool:
    """A data file of a table: purged where it is of no use, else decoded."""
    return name.partition("/")[0] in TABLES and "/_delta_log/" not in name and name.endswith(".parquet")


def _counted(listing: Iterable[pa.RecordBatch], *, table: Table, people: People) -> Iterator[pa.RecordBatch]:
    found: Counter[date | None] = Counter()
    for file in parts_of(listing):
        rows = read_part(file, people.columns(table))
        found[file.partition] += people.count(rows, table, file.partition)
    there = [{"partition": day, "rows": rows} for day, rows in found.items() if rows]
    yield pa.RecordBatch.from_pylist(there, schema=_FOUND)


def _others(listing: Iterable[pa.RecordBatch], *, table: Table, people: People) -> Iterator[pa.Table]:
    for file in parts_of(listing):
        rows = people.others(read_part(file, table.column_names), table, file.partition)
        yield in_part_of(file.path, rows)


def _texts(content: bytes, name: str) -> bytes:
    """Rows of a checkpoint as text: in the file they are compressed."""
    if not name.endswith(".parquet"):
        return b""
    return json.dumps(pq.read_table(pa.BufferReader(content)).to_pylist(), default=str).encode()


def _files(folder: Path) -> list[Path]:
    return [folder] if folder.is_file() else [path for path in sorted(folder.rglob("*")) if path.is_file()]
