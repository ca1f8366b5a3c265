"""A part of a feed on disk: one Parquet file per table and day of delivery, whole or not there."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from visitgrain.simulation.days import date_of
from visitgrain.simulation.parts import Feed

UNFINISHED = "_unfinished"  # folder of files that are being written
COUNTS = pa.schema([("table", pa.string()), ("rows", pa.int64())])
PLAIN = ("event_id", "order_id", "exposure_id")  # no value twice: a dictionary would only be given up


def write_part(feed: Feed, number: int, out: Path) -> Counter[str]:
    """Write the files of a part. Returns rows per table. Written again, they are the same under the same names."""
    part, rows = feed.part(number), Counter[str]()
    for place, table, day in part.tables():
        rows[place.split("/month=")[0]] += table.num_rows
        for folder, piece in _by_day(table, day):
            write_file(piece, out, f"{place}/{folder}{part.name}.parquet")
    return rows


def parts_writer(feed: Feed, out: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Writes the parts whose numbers are in the first column of a partition; yields rows per table."""

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                rows = write_part(feed, number, Path(out))
                yield pa.RecordBatch.from_pydict({"table": list(rows), "rows": list(rows.values())}, schema=COUNTS)

    return write


def write_file(table: pa.Table, out: Path, name: str) -> None:
    """Write `out/name` under another name first: a task that is killed or repeated leaves no half of a file there."""
    target, unfinished = out / name, out / UNFINISHED / uuid.uuid4().hex
    for folder in (target.parent, unfinished.parent):
        folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        unfinished,
        compression="zstd",
        use_dictionary=[column for column in table.column_names if column not in PLAIN],
        store_schema=False,  # dictionaries are texts to whoever reads them
    )
    os.replace(unfinished, target)


def _by_day(table: pa.Table, day: np.ndarray | None) -> Iterator[tuple[str, pa.Table]]:
    """Pieces by day of delivery with their folder; the whole table where it is not delivered by day."""
    if day is None:
        yield "", table
        return
    ordered = table if (np.diff(day) >= 0).all() else table.take(pa.array(np.argsort(day, kind="stable")))
    found, rows = np.unique(day, return_counts=True)
    for number, start, count in zip(found, np.cumsum(rows) - rows, rows, strict=True):
        yield f"day={date_of(int(number))}/", ordered.slice(start, count)
