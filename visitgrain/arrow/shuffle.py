"""Rows that cross a Spark shuffle as columns: each bucket of a batch is one binary value in Arrow's IPC format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

BUCKETS = pa.schema([("bucket", pa.int32()), ("rows", pa.binary())])
BUCKETS_DDL = "bucket int, rows binary"
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")  # before the JVM copies it, and copies it again


def packed(tables: Iterable[pa.Table], *, key: str, buckets: int) -> Iterator[pa.RecordBatch]:
    """Rows of `tables` by bucket = `key` modulo `buckets`. `key` is a 64-bit integer: a hash, or the bucket itself."""
    for table in tables:
        bucket = (table[key].to_numpy().view(np.uint64) % np.uint64(buckets)).astype(np.uint16)
        ordered = table.unify_dictionaries().combine_chunks().take(np.argsort(bucket, kind="stable"))
        lengths = np.bincount(bucket, minlength=buckets)
        starts = np.cumsum(lengths) - lengths
        found = np.flatnonzero(lengths)
        rows = _as_binary(ordered.slice(int(starts[n]), int(lengths[n])) for n in found)
        yield pa.RecordBatch.from_arrays([pa.array(found, pa.int32()), rows], schema=BUCKETS)


def unpacked(batches: Iterable[pa.RecordBatch]) -> pa.Table | None:
    """All rows of the buckets in one table; None when there are none."""
    parts = [pa.ipc.open_stream(value.as_buffer()).read_all() for batch in batches for value in batch["rows"]]
    return pa.concat_tables(parts) if parts else None


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


def _as_binary(tables: Iterable[pa.Table]) -> pa.Array:
    """One value per table, all in one buffer."""
    sink, ends = pa.BufferOutputStream(), [0]
    for table in tables:
        with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as stream:
            stream.write_table(table)
        ends.append(sink.tell())
    offsets = pa.array(ends, pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, offsets, sink.getvalue()])
