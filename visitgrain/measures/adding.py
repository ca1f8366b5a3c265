"""Rows of a source -> sums per subscriber and day, in the workers: of some rows at a time, then of all together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visitgrain.arrow.casting import narrow
from visitgrain.arrow.exact import FRACTION, parts_of, whole_of
from visitgrain.arrow.shuffle import gathered, packed, tables_in, together
from visitgrain.measures.compiling import How, Part
from visitgrain.measures.subjects import KEYS, SLICED_KEYS, Spread, Subjects

Array = NDArray[Any]
ROWS_AT_ONCE = 200_000  # that are added up before they are sent
NEVER = np.iinfo(np.int64).max  # where nothing was first
PLACES = 1 << 16  # more than a sketch has buckets
BUCKET = "_bucket"


class Given(NamedTuple):
    """What rows give to a column: their positions, and what each gives."""

    column: str
    how: How
    rows: Array
    values: Array


def added(
    batches: Iterable[pa.RecordBatch], *, parts: Sequence[Part], slices: Sequence[str] | None, spread: Spread
) -> Iterator[pa.RecordBatch]:
    """Sums per subscriber and day, or with `slices` per value of each of them as well. Packed, without columns of 0."""
    for rows in gathered((pa.Table.from_batches([batch]) for batch in batches), rows=ROWS_AT_ONCE):
        given, subjects = list(_given(rows, parts)), Subjects.of([rows], KEYS)
        told_apart = [subjects] if slices is None else [subjects.by(name, rows[name]) for name in slices]
        sums = together([_sums(given, found, spread) for found in told_apart])
        yield from packed([sums], key=BUCKET, buckets=spread.buckets)


def _sums(given: Iterable[Given], subjects: Subjects, spread: Spread) -> pa.Table:
    sums = subjects.keys.append_column(BUCKET, pa.array(spread.bucket(subjects.keys)))
    for each in given:
        sums = sums.append_column(each.column, narrow(_added(each, subjects)))
    return sums


def _given(rows: pa.Table, parts: Sequence[Part]) -> Iterator[Given]:
    """Nothing of columns to which no row gives anything. A row without a value gives nothing."""
    holding = {name: np.flatnonzero(rows[name].fill_null(False)) for name in {part.holds for part in parts}}
    places = {name: _filled(rows[name]) for name in {part.by for part in parts if part.by}}
    for part in parts:
        found = holding[part.holds]
        if part.by:
            found = found[places[part.by][found] == part.place]
        values = np.ones(len(found), np.int64)
        if part.value:
            found = found[rows[part.value].is_valid().to_numpy()[found]]
            values = _filled(rows[part.value])[found]
        if len(found):
            yield from _whole(Given(part.column, part.how, found, values))


def _whole(given: Given) -> Iterator[Given]:
    """Doubles as two whole numbers."""
    if not np.issubdtype(given.values.dtype, np.floating):
        yield given
        return
    for column, values in zip((given.column, given.column + FRACTION), parts_of(given.values), strict=True):
        yield given._replace(column=column, values=values)


def _added(given: Given, subjects: Subjects) -> pa.Array:
    number, size = subjects.number[given.rows], len(subjects.keys)
    there = number >= 0
    number, values = number[there], given.values[there]
    if given.how == "sketch":
        return _sketch(number, values, np.ones(len(values), np.int64), size)
    return pa.array(_total(given.how, [(number, values)], size))


def day_rows(
    batches: Iterable[pa.RecordBatch],
    *,
    hows: Mapping[str, How],
    columns: Sequence[tuple[str, str]],
    sliced: bool = False,
    accounts: Sequence[str] = (),
) -> Iterator[pa.Table]:
    """All sums of the same key brought together, in `columns`: name and type. `accounts` make up `_rows`."""
    tables = list(tables_in(batches))
    names = SLICED_KEYS if sliced else KEYS
    subjects = Subjects.of(tables, names)
    starts = np.cumsum([0, *map(len, tables)])
    numbers = [subjects.number[start:end] for start, end in pairwise(starts)]
    sent = [dict(zip(table.column_names, table.columns, strict=True)) for table in tables]
    size = len(subjects.keys)

    def pieces(name: str) -> Iterator[tuple[Array, pa.ChunkedArray]]:
        return ((number, table[name]) for number, table in zip(numbers, sent, strict=True) if name in table)

    def total(name: str) -> Array:
        how = hows[name.removesuffix(FRACTION)]
        return _total(how, ((number, _filled(column)) for number, column in pieces(name)), size)

    found = dict(zip(names, subjects.keys.columns, strict=True))
    for name, kind in columns:
        if hows[name] == "sketch":
            found[name] = _sketches(pieces(name), size)
        elif kind == "double":
            found[name] = pa.array(whole_of(total(name), total(name + FRACTION)))
        else:
            of_all = total(name)
            found[name] = pa.array(of_all, mask=of_all == NEVER)
    if accounts:
        found["_rows"] = pa.array(np.sum([found[name].to_numpy() for name in accounts], axis=0))
    yield pa.table(found)


def _total(how: How, pieces: Iterable[tuple[Array, Array]], size: int) -> Array:
    """Per subject; `pieces` are numbers of subjects and what each gets."""
    total = np.full(size, NEVER if how == "least" else 0, np.int64)
    for number, values in pieces:
        match how:
            case "sum":
                np.add.at(total, number, values.astype(np.int64))
            case "any":
                total[number[values > 0]] = 1
            case "least":
                np.minimum.at(total, number, values.astype(np.int64))
    return total


def _sketches(pieces: Iterable[tuple[Array, pa.ChunkedArray]], size: int) -> pa.MapArray:
    subjects, buckets, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number, column in pieces:
        maps = column.combine_chunks()
        subjects.append(np.repeat(number, np.diff(maps.offsets.to_numpy())))
        buckets.append(maps.keys.to_numpy())
        counts.append(maps.items.to_numpy())
    return _sketch(*map(np.concatenate, (subjects, buckets, counts)), size)


def _sketch(subject: Array, bucket: Array, count: Array, size: int) -> pa.MapArray:
    """Per subject the map bucket -> observations; null where there are none."""
    keys, place = np.unique(subject * PLACES + bucket, return_inverse=True)
    counts = _total("sum", [(place, count)], len(keys))
    starts = np.searchsorted(keys, np.arange(size + 1) * PLACES)
    none = np.append(np.diff(starts) == 0, False)
    offsets = pa.array(starts.astype(np.int32), mask=none)
    return pa.MapArray.from_arrays(offsets, (keys % PLACES).astype(np.int32), counts)


def _filled(column: pa.ChunkedArray) -> Array:
    found: Array = column.fill_null(0).to_numpy()
    return found
