"""Rows that cross a Spark shuffle as columns: each bucket of a batch is one binary value in Arrow's IPC format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Pack = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

BUCKETS = pa.schema([("bucket", pa.int32()), ("rows", pa.binary())])
BUCKETS_DDL = "bucket int, rows binary"
_MARK = b"of"
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")  # before the JVM copies it, and copies it again


def buckets_of(rows: int, *, each: int) -> int:
    """How many buckets hold `rows` rows, about `each` of them in one; one at least."""
    return -(-rows // each) or 1


def packed_by(frame: DataFrame, pack: Pack) -> DataFrame:
    """The rows that `pack` makes of the batches of `frame`, packed."""
    return frame.mapInArrow(pack, BUCKETS_DDL)


def exchanged(packed_rows: DataFrame, buckets: int) -> DataFrame:
    """Packed rows, one partition per bucket: what `unpacked` takes in a worker."""
    return packed_rows.repartitionById(buckets, "bucket")


def also_empty(packed_rows: DataFrame) -> DataFrame:
    """One value without rows more, in bucket 0: whoever takes that bucket is called also when there are no rows."""
    return packed_rows.unionByName(packed_rows.sparkSession.createDataFrame([(0, b"")], BUCKETS_DDL))


def packed(tables: Iterable[pa.Table], *, key: str, buckets: int) -> Iterator[pa.RecordBatch]:
    """Rows of `tables` by bucket = `key` modulo `buckets`. `key` is a 64-bit integer: a hash, or the bucket itself."""
    for table in tables:
        bucket = (table[key].to_numpy().view(np.uint64) % np.uint64(buckets)).astype(np.uint16)
        whole = without_long_dictionaries(table.unify_dictionaries().combine_chunks(), buckets)
        ordered = whole.take(np.argsort(bucket, kind="stable"))
        lengths = np.bincount(bucket, minlength=buckets)
        starts = np.cumsum(lengths) - lengths
        found = np.flatnonzero(lengths)
        rows = as_binary(ordered.slice(int(starts[n]), int(lengths[n])) for n in found)
        yield pa.RecordBatch.from_arrays([pa.array(found, pa.int32()), rows], schema=BUCKETS)


def unpacked(batches: Iterable[pa.RecordBatch]) -> pa.Table | None:
    """All rows of the buckets in one table, None when there are none. Parts may lack columns, or have narrower ones."""
    parts = list(tables_in(batches))
    return together(parts) if parts else None


def together(parts: Sequence[pa.Table]) -> pa.Table:
    """All rows of `parts`, of which there is one at least. Some may lack columns, or have narrower ones."""
    types: dict[str, set[pa.DataType]] = {}
    for field in (field for part in parts for field in part.schema):
        types.setdefault(field.name, set()).add(field.type)
    mixed = [name for name, found in types.items() if len(found) > 1]
    return pa.concat_tables([_decoded(part, mixed) for part in parts], promote_options="permissive")


def tables_in(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The table in each value of `rows` that has one."""
    buffers = (value.as_buffer() for batch in batches for value in batch["rows"])
    return (pa.ipc.open_stream(buffer).read_all() for buffer in buffers if buffer.size)


def marked(table: pa.Table, of: str) -> pa.Table:
    """The table, and what it is: rows of several kinds may share a bucket."""
    return table.replace_schema_metadata({_MARK: of})


def by_mark(batches: Iterable[pa.RecordBatch]) -> dict[str, list[pa.Table]]:
    """Tables in `rows` by what they were marked as."""
    found: dict[str, list[pa.Table]] = {}
    for table in tables_in(batches):
        found.setdefault(table.schema.metadata[_MARK].decode(), []).append(table)
    return found


def without_long_dictionaries(table: pa.Table, buckets: int = 1) -> pa.Table:
    """Each bucket carries the whole dictionary of a column: texts that hardly repeat are cheaper as they are."""
    dictionaries = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    long = [n for n in dictionaries if sum(len(c.dictionary) for c in table[n].chunks) * buckets > table.num_rows]
    return _decoded(table, long)


def _decoded(table: pa.Table, names: list[str]) -> pa.Table:
    types = [
        (f.name, f.type.value_type if f.name in names and pa.types.is_dictionary(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(types, metadata=table.schema.metadata)) if names else table


def gathered(tables: Iterable[pa.Table], *, rows: int) -> Iterator[pa.Table]:
    """Consecutive tables brought together to about `rows` rows."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(part.num_rows for part in held) >= rows:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def as_binary(tables: Iterable[pa.Table]) -> pa.Array:
    """One value per table, all in one buffer."""
    sink, ends = pa.BufferOutputStream(), [0]
    for table in tables:
        with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as stream:
            stream.write_table(table)
        ends.append(sink.tell())
    offsets = pa.array(ends, pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, offsets, sink.getvalue()])
