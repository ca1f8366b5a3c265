"""Parquet files of a table, written where their rows are computed; what they hold is reported to the driver.

A file means nothing until the driver commits it: files of a failed or repeated task stay unseen.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visitgrain.arrow.casting import as_types
from visitgrain.arrow.rows import Function, filesystem
from visitgrain.arrow.shuffle import without_long_dictionaries
from visitgrain.runtime import faults
from visitgrain.runtime.content import Content
from visitgrain.runtime.contract import KEPT, OUTCOME, PART, ROWS
from visitgrain.runtime.file_check import footer_checksum
from visitgrain.runtime.statistics import statistics_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REPORT = pa.schema([("report", pa.string())])
BUFFER_BYTES = 256 << 20  # rows held back so that files are large
FILE_BYTES = 512 << 20  # in memory; a fifth of it on disk


@dataclass
class Report:
    """What one task wrote: files as add actions of the Delta protocol, and the books over all rows it was given."""

    files: list[dict[str, Any]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    nulls: Counter[str] = field(default_factory=Counter)
    marked: bool = False  # rows came with a reserved column

    @property
    def content(self) -> Content:
        """Of all files."""
        return sum((Content.named(file["path"]) for file in self.files), Content())

    @classmethod
    def total(cls, reports: Iterable[Report]) -> Report:
        """The reports of all tasks as one."""
        found = cls()
        for report in reports:
            found._add(report)
        return found

    def add_staying(self, other: Report) -> None:
        """Rows that were there before: where rows say what they account for, these account for nothing."""
        self._add(replace(other, outcomes=Counter()) if self.marked else other)

    def _add(self, other: Report) -> None:
        self.files += other.files
        self.outcomes.update(other.outcomes)
        self.nulls.update(other.nulls)
        self.marked |= other.marked

    def to_json(self) -> str:
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Report:
        content = json.loads(text)
        return cls(**{**content, **{name: Counter(content[name]) for name in ("outcomes", "nulls")}})


@dataclass(frozen=True)
class FileWriter:
    """Called with the batches of one partition; yields one `REPORT` row.

    `schema` is the table's, `reserved` columns may stand behind it; `hashed` are the columns of its content, which is
    in the names of the files; `function` makes such tables of the batches where these are not the rows themselves.
    """

    root: str
    schema: pa.Schema
    not_null: tuple[str, ...]
    statistics: tuple[str, ...]
    hashed: tuple[str, ...]
    partition: str | None
    codec: str
    function: Function | None = None
    part: str = "part"  # of the table, where the rows do not say it; names of files begin with it

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        report = self.write(batches)
        yield pa.RecordBatch.from_pydict({"report": [report.to_json()]}, schema=REPORT)

    def write(self, batches: Iterator[pa.RecordBatch]) -> Report:
        report, buffer, held = Report(), defaultdict(list), 0
        tables = self.function(batches) if self.function else map(_table, batches)
        for table in tables:
            for part, rows in self._parts(self._kept(table, report)):
                buffer[part].append(rows)
                held += rows.nbytes
            if held > BUFFER_BYTES:
                self._flush(buffer, report)
                held = 0
        self._flush(buffer, report)
        return report

    def _parts(self, kept: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        """The rows of each part, in the declared types."""
        said = kept[PART].fill_null(self.part) if PART in kept.column_names else None
        parts = [self.part] if said is None else said.unique().to_pylist()
        for part in parts:
            rows = kept if len(parts) == 1 else kept.filter(pc.equal(said, part))
            if rows.num_rows:
                yield part, as_types(rows, self.schema)

    def _kept(self, table: pa.Table, report: Report) -> pa.Table:
        """Rows to write; all others are counted by outcome."""
        names = table.column_names
        report.marked |= ROWS in names or OUTCOME in names
        stands_for = (
            table[ROWS].fill_null(0).to_numpy().astype(np.int64) if ROWS in names else np.ones(table.num_rows, np.int64)
        )
        kept = table.select([*self.schema.names, *([PART] if PART in names else [])])
        if OUTCOME not in names:
            report.outcomes[KEPT] += int(stands_for.sum())
        else:
            coded = table[OUTCOME].combine_chunks().fill_null("null").dictionary_encode()
            sums = np.bincount(coded.indices.to_numpy(), stands_for, len(coded.dictionary)).astype(np.int64)
            report.outcomes.update(dict(zip(coded.dictionary.to_pylist(), sums.tolist(), strict=True)))
            kept = kept.filter(pc.equal(table[OUTCOME].fill_null("null"), KEPT))
        return kept

    def _flush(self, buffer: dict[str, list[pa.Table]], report: Report) -> None:
        for part in list(buffer):
            table = _together(buffer.pop(part))
            for name in self.not_null:
                if table[name].null_count:
                    report.nulls[name] += table[name].null_count
            for value, rows in _by_partition(table, self.partition):
                pieces = max(1, -(-rows.nbytes // FILE_BYTES))
                size = -(-rows.num_rows // pieces)
                starts = range(0, rows.num_rows, size)
                report.files += [self._file(part, value, rows.slice(start, size)) for start in starts]

    def _file(self, part: str, value: str | None, rows: pa.Table) -> dict[str, Any]:
        folder = f"{self.partition}={value}/" if self.partition else ""
        rows = without_long_dictionaries(rows)  # of all days, where this is one
        content = Content.of(rows.select(self.hashed))
        data = rows.drop_columns([self.partition]) if self.partition else rows
        whole = pa.BufferOutputStream()  # the footer's checksum is in the name, so all is known before it is written
        pq.write_table(data, whole, compression=self.codec, store_schema=False, write_page_checksum=True)
        file = whole.getvalue()
        checksum = footer_checksum(memoryview(file))
        path = f"{folder}{part}-{content.name}-{uuid.uuid4().hex}-{checksum}.{self.codec}.parquet"
        faults.reached("write-file")
        files, base = filesystem(self.root)
        files.create_dir(f"{base}/{folder}", recursive=True)
        with files.open_output_stream(f"{base}/{path}") as stream:
            stream.write(file)
        return {
            "path": path,
            "size": file.size,
            "partitionValues": {self.partition: value} if self.partition else {},
            "modificationTime": int(time.time() * 1000),
            "dataChange": True,
            "stats": json.dumps(statistics_of(data, self.statistics)),
        }


def written_by(source: DataFrame, writer: FileWriter) -> Report:
    """Has the rows of `source` written by the workers."""
    reports = source.mapInArrow(writer, "report string").collect()
    return Report.total(Report.from_json(row["report"]) for row in reports)


def _table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _together(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _by_partition(table: pa.Table, partition: str | None) -> Iterator[tuple[str | None, pa.Table]]:
    """Rows of each value of the partition column, in the order they had."""
    if partition is None:
        yield None, table
        return
    coded = table[partition].combine_chunks().dictionary_encode()
    values = [str(value) for value in coded.dictionary.to_pylist()]
    if len(values) == 1 and not coded.null_count:
        yield values[0], table
        return
    codes = coded.indices.fill_null(len(values)).to_numpy()
    ordered = table.take(np.argsort(codes, kind="stable"))
    lengths = np.bincount(codes, minlength=len(values))
    for value, end, length in zip(values, np.cumsum(lengths).tolist(), lengths.tolist(), strict=False):
        yield value, ordered.slice(end - length, length)
