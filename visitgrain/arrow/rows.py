"""What a transform may take and return beside DataFrames, where rows are wide or many: see docs/adr/0007."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Function = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.Table]]
Hold = Callable[[pa.ChunkedArray], pa.Array]  # per value: is it wanted?
NARROW = 4  # columns that are read at once: opening a file again takes longer
NOWHERE = 1 << 30  # a part behind the last row group: columns without a row


@dataclass(frozen=True)
class ArrowRows:
    """Rows computed by `function` in the workers, once per partition of `frame`, and written to files there.

    `function` turns the batches of a partition into tables with the declared columns of the output, any reserved
    columns behind them. It must give the same rows when it is run again.
    `local`: they are the rows of touched keys, and the rows of other keys stay.
    """

    frame: DataFrame
    function: Function
    local: bool = False


@dataclass(frozen=True)
class FilePart:
    """A data file, or every `parts`-th row group of it from number `part` on."""

    number: int  # place in `TableFiles.files`
    path: str
    partition: date | None
    part: int
    parts: int
    rows: int  # of the whole file; 0 but for the first part
    group: int  # parts of one partition value that are small enough to be brought together share a group


@dataclass(frozen=True)
class TableFiles:
    """The data files of a table, or of some of its partitions, at one version.

    `listing` has the rows of `files`, spread over tasks by size: what `parts_of` takes in a worker.
    """

    listing: DataFrame
    files: tuple[FilePart, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def groups(self) -> int:
        return max((file.group for file in self.files), default=0) + 1


LISTING = "number: int, path: string, partition: date, part: int, parts: int, rows: bigint, group: int"


def filesystem(root: str) -> tuple[FileSystem, str]:
    """The file system of a folder or URI, and the path on it."""
    if "://" not in root:
        root = str(Path(root).absolute())
    uri = root.rstrip("/").replace("s3a://", "s3://", 1)  # Hadoop says s3a where everyone else says s3
    if uri.startswith("s3://"):
        uri += "?allow_delayed_open=true"  # a small file is one put, not an upload that is begun, sent and completed
    found, path = FileSystem.from_uri(uri)
    return found, path


def parts_of(listing: Iterable[pa.RecordBatch]) -> Iterator[FilePart]:
    """The listed parts, in a worker."""
    for batch in listing:
        names = [field.name for field in fields(FilePart)]
        yield from (FilePart(**{name: row[name] for name in names}) for row in batch.to_pylist())


def read_part(file: FilePart, columns: Sequence[str], *, dictionaries: Sequence[str] = ()) -> pa.Table:
    """The rows of a part. The value of the partition is not in the file, but in a folder's name `column=value`.

    `dictionaries` names columns whose texts (of a map: whose keys) are read as a dictionary and a code per row.
    """
    with _opened(file, columns, dictionaries) as (opened, groups, wanted):
        table = opened.read_row_groups(groups, columns=wanted, use_threads=False)
    return _with_partition(table, file, columns)


def read_pieces(file: FilePart, columns: Sequence[str], *, rows: int) -> Iterator[pa.Table]:
    """The rows of a part, `rows` at a time. Of many wide rows pieces that fit into the processor's cache are read and
    made into something else at a third of the cost of all at once."""
    with _opened(file, columns) as (opened, groups, wanted):
        for batch in opened.iter_batches(rows, row_groups=groups, columns=wanted, use_threads=False):
            yield _with_partition(pa.Table.from_batches([batch]), file, columns)


@contextmanager
def _opened(
    file: FilePart, columns: Sequence[str], dictionaries: Sequence[str] = ()
) -> Iterator[tuple[pq.ParquetFile, list[int], list[str]]]:
    """The file, and which of its row groups and columns are to be read."""
    files, path = filesystem(file.path)
    wanted = [name for name in columns if name != _partition_column(file)]
    metadata, coded = _coded(path, files, {*dictionaries} & {*columns})
    options = {"metadata": metadata, "read_dictionary": coded, "page_checksum_verification": True}
    try:
        with pq.ParquetFile(path, filesystem=files, **options) as opened:
            yield opened, list(range(file.part, opened.num_row_groups, file.parts)), wanted
    except (OSError, pa.ArrowException) as error:
        raise OSError(f"file {file.path} cannot be read, restore it from a backup: {error}") from error


def _partition_column(file: FilePart) -> str | None:
    """Named by the folder, `column=value`."""
    return file.path.split("/")[-2].partition("=")[0] if file.partition else None


def _with_partition(table: pa.Table, file: FilePart, columns: Sequence[str]) -> pa.Table:
    name = _partition_column(file)
    if name in columns:
        table = table.append_column(name, pa.repeat(pa.scalar(file.partition, pa.date32()), table.num_rows))
    return table.select(columns)


def read_held(
    file: FilePart, columns: Sequence[str], by: str, hold: Hold, *, dictionaries: Sequence[str] = ()
) -> tuple[pa.Table, np.ndarray]:
    """The rows of a part whose value of `by` is held; and per row of the part: is it? Else as `read_part`."""
    if len(columns) <= NARROW:
        rows = read_part(file, columns, dictionaries=dictionaries)
        held = hold(rows[by])
        return rows.filter(held), held.to_numpy(zero_copy_only=False)
    held = hold(read_part(file, [by])[by])
    which = held.to_numpy(zero_copy_only=False)
    if not which.any():
        return read_part(replace(file, part=NOWHERE), columns, dictionaries=dictionaries), which
    return read_part(file, columns, dictionaries=dictionaries).filter(held), which


def _coded(path: str, files: FileSystem, names: set[str]) -> tuple[pq.FileMetaData | None, list[str]]:
    """Paths of the texts in the columns `names`, with the metadata that tells them; looked at only if there are any."""
    if not names:
        return None, []
    metadata = pq.read_metadata(path, filesystem=files)
    return metadata, [leaf.path for leaf in _leaves(metadata.schema) if leaf.path.partition(".")[0] in names]


def _leaves(schema: pq.ParquetSchema) -> list[pq.ColumnSchema]:
    """Columns of texts, also within others."""
    leaves = [schema.column(place) for place in range(len(schema))]
    return [leaf for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
