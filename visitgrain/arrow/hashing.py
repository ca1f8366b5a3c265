"""64-bit hashes of rows, a whole batch at once: the same on every machine, in every process, for any batch size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.casting import by_code

ROWS_AT_ONCE = 1 << 15  # keeps the arrays of one step in the processor's cache
STEP = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: consecutive columns start far apart
NULL = np.uint64(0x7FB5D329728EA185)
BASE = 0xD1342543DE82EF95  # of the polynomial over the words of a text; odd, so that no bit is lost modulo 2**64
WORD = 8  # bytes


def hash_rows(table: pa.Table) -> np.ndarray:
    """One unsigned 64-bit hash per row, over all columns in their order. Two types of one value may differ."""
    hashes = [_of_columns(part.columns, part.num_rows) for part in table.combine_chunks().to_batches(ROWS_AT_ONCE)]
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


def hash_values(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """One hash per value."""
    return hash_rows(pa.table({"value": column}))


def mix(bits: np.ndarray) -> np.ndarray:
    """Finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit moves every output bit. Works in place."""
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def _of_columns(columns: Iterable[pa.Array], rows: int) -> np.ndarray:
    hashes = np.zeros(rows, np.uint64)
    for column in columns:
        hashes += STEP
        hashes ^= _bits(column)
        mix(hashes)
    return hashes


def _bits(column: pa.Array) -> np.ndarray:
    """64 bits that stand for each value; `NULL` for none."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return by_code(column, _bits(column.dictionary), NULL)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        bits = _of_text(column)
    elif pa.types.is_map(kind) or pa.types.is_list(kind):
        bits = _of_entries(column)
    elif pa.types.is_struct(kind):
        bits = _of_columns(column.flatten(), len(column))
    else:
        bits = _of_fixed_width(column)
    if column.null_count:
        bits = np.where(column.is_null().to_numpy(zero_copy_only=False), NULL, bits)
    return bits


def _of_fixed_width(column: pa.Array) -> np.ndarray:
    if pa.types.is_null(column.type):
        return np.full(len(column), NULL)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if pa.types.is_temporal(column.type):
        column = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
    if column.null_count:
        column = pc.fill_null(column, 0)
    values = column.to_numpy()
    if values.dtype.kind == "f":
        return (values.astype(np.float64) + 0.0).view(np.uint64)  # -0.0 becomes 0.0: they are equal
    return values.astype(np.int64).view(np.uint64)


def _of_text(column: pa.Array) -> np.ndarray:
    """Sum of word * BASE**place per text, modulo 2**64, and its length; the last word is filled with zeros."""
    large = pa.types.is_large_string(column.type)
    offsets = np.frombuffer(column.buffers()[1], np.int64 if large else np.int32)
    offsets = offsets[column.offset : column.offset + len(column) + 1].astype(np.int64)
    lengths = np.diff(offsets)
    if not lengths.any():
        return lengths.view(np.uint64)
    data = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    if (lengths == lengths[0]).all():  # as ids are
        sums = _of_words(data.reshape(len(lengths), lengths[0]))
    else:
        sums = _of_texts(data, offsets[:-1] - offsets[0], lengths)
    return sums + lengths.view(np.uint64) * STEP


def _of_texts(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Texts of several lengths: those with equally many words at once."""
    sums = np.zeros(len(lengths), np.uint64)
    words = -(-lengths // WORD)
    for count in np.unique(words[words > 0]):
        rows = np.flatnonzero(words == count)
        places = np.arange(count * WORD)
        inside = places < lengths[rows, None]
        sums[rows] = _of_words(data[np.where(inside, starts[rows, None] + places, 0)] * inside)
    return sums


def _of_words(texts: np.ndarray) -> np.ndarray:
    """Of texts of one length: a row of bytes each."""
    rows, length = texts.shape
    words = -(-length // WORD)
    filled = np.zeros((rows, words * WORD), np.uint8)
    filled[:, :length] = texts
    return (filled.view("<u8") * _powers(words)).sum(axis=1, dtype=np.uint64)


def _powers(count: int) -> np.ndarray:
    powers = np.full(count, BASE, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def _of_entries(column: pa.ListArray | pa.MapArray) -> np.ndarray:
    """Sum of the hashes of the entries, and how many there are. Order counts in a list, not in a map."""
    offsets = column.offsets.to_numpy().astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    offsets -= first
    lengths = np.diff(offsets)
    if pa.types.is_map(column.type):
        keys = column.keys.slice(first, last - first).dictionary_encode()  # the same few in every row
        parts = [keys, column.items.slice(first, last - first)]
        hashes = _of_columns(parts, last - first)
    else:
        hashes = _of_columns([column.values.slice(first, last - first)], last - first)
        places = np.arange(last - first) - np.repeat(offsets[:-1], lengths)
        hashes = mix(hashes + places.view(np.uint64))
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashes, dtype=np.uint64)])
    return running[offsets[1:]] - running[offsets[:-1]] + lengths.view(np.uint64) * STEP
