"""A small table without Spark, and ways to damage it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa

from visitgrain.arrow.rows import read_part
from visitgrain.runtime import delta_log
from visitgrain.runtime.creation import create
from visitgrain.runtime.delta_log import DataFile
from visitgrain.runtime.file_check import check_files
from visitgrain.runtime.file_writer import FileWriter
from visitgrain.runtime.listing import parts_of_files
from visitgrain.runtime.storage import Store
from visitgrain.tables import Kind, Table
from visitgrain.tables.model import col, key

DAY = date(2026, 3, 1)
TABLE = Table(
    name="test_steps",
    kind=Kind.INPUT,
    grain="one row per step",
    description="For tests of damage.",
    columns=(
        key("step_id", "bigint", "id"),
        key("day", "date", "local day"),
        col("page", "string", "where", personal=True),
    ),
    key=("step_id",),
    partition="day",
)
SCHEMA = pa.schema([("step_id", pa.int64()), ("day", pa.date32()), ("page", pa.string())])
_TYPES = {"step_id": "long", "day": "date", "page": "string"}
SPARK_SCHEMA = json.dumps(
    {
        "type": "struct",
        "fields": [
            {"name": c.name, "type": _TYPES[c.name], "nullable": c.nullable, "metadata": {}} for c in TABLE.columns
        ],
    }
)
ROWS_PER_COMMIT = 10
Row = tuple[int, date, str | None]


def rows_of(commit: int) -> list[Row]:
    """Ten rows of one day; commits 1, 2, 3 are of days 1, 2, 3, then of day 1 again."""
    day = DAY + timedelta(days=(commit - 1) % 3)
    first = commit * ROWS_PER_COMMIT
    return [(n, day, f"/page/{n % 4}" if n % 5 else None) for n in range(first, first + ROWS_PER_COMMIT)]


def make_table(root: Path, commits: int) -> Store:
    """A lake with TABLE of so many commits of ten rows each, receipt and all."""
    store = Store(str(root))
    create(store, TABLE, schema_json=SPARK_SCHEMA, partition="day", run_id="run-0")
    for commit in range(1, commits + 1):
        append(store, rows_of(commit), run_id=f"run-{commit}")
    return store


def append(store: Store, rows: list[Row], *, run_id: str) -> int:
    batch = pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)
    writer = FileWriter(
        root=store.path(TABLE.name),
        schema=SCHEMA,
        not_null=("step_id", "day"),
        statistics=("step_id",),
        hashed=tuple(SCHEMA.names),
        partition="day",
        codec="snappy",
    )
    upon = delta_log.snapshot(store, TABLE, delta_log.verified_version(store, TABLE))
    added = writer.write(iter([batch])).files
    return delta_log.commit(store, TABLE, upon=upon, added=added, removed=[], run_id=run_id)


def read(store: Store) -> list[Row]:
    """What a job is given: the files that the log tells, looked at, read in a worker's way."""
    files = delta_log.files(store, TABLE)
    check_files(store, TABLE, files)
    found = [read_part(part, SCHEMA.names) for part in parts_of_files(store.path(TABLE.name), files)]
    return sorted(tuple(row.values()) for table in found for row in table.to_pylist())


def commit_file(store: Store, version: int) -> Path:
    return store.local_path(TABLE.name, "_delta_log", f"{version:020}.json")


def data_file(store: Store, number: int = 0) -> tuple[DataFile, Path]:
    file = sorted(delta_log.files(store, TABLE), key=lambda file: file.path)[number]
    return file, store.local_path(TABLE.name, file.path)


def truncate(path: Path, random: Random) -> None:
    path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])


def zero(path: Path, random: Random) -> None:
    """Nothing in it, or zeros for bytes from somewhere on: what a power loss leaves."""
    content = path.read_bytes()
    keep = random.randrange(len(content))
    path.write_bytes(b"" if random.random() < 0.5 else content[:keep] + bytes(len(content) - keep))


def flip(path: Path, random: Random) -> None:
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def delete(path: Path, random: Random) -> None:
    path.unlink()


def lose_a_line(path: Path, random: Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[random.randrange(len(lines))]
    path.write_bytes(b"".join(lines))


DAMAGES: dict[str, Callable[[Path, Random], None]] = {
    "truncate": truncate,
    "zero": zero,
    "flip": flip,
    "delete": delete,
}
