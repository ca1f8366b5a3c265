"""What windows are made of, on its way to the workers: rows of all tables, by bucket of the subscriber."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial, reduce
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, functions as F

from visitgrain.arrow.casting import narrow
from visitgrain.arrow.exact import parts_of as exact_parts
from visitgrain.arrow.rows import FilePart, TableFiles, parts_of, read_part
from visitgrain.arrow.shuffle import BUCKETS, as_binary, buckets_of, exchanged, gathered, marked, packed, packed_by
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.snapshots import snapshot_months, snapshot_values
from visitgrain.metrics.sums_of_days import day_columns
from visitgrain.metrics.windows import WindowEnd
from visitgrain.span import Span, month_end_before
from visitgrain.tables.measuring import SUBSCRIBER_STATE

SUBJECT = "subscriber_id"
NOBODY = "nobody"  # true in rows without a subscriber, where their id is 0
DAYS, SLICE_DAYS, STATES, SNAPSHOTS, MEASURED = "days", "slice_days", "states", "snapshots", "measured"
CONSUMPTION, BEHAVIOUR = "consumption_segment", "behaviour_segment"
ADDED = (DAYS, SLICE_DAYS)  # a missing value is 0 there
NOTHING = ({"min": 0, "max": 0}, {"min": None, "max": None})
ROWS_PER_BUCKET = 300_000
ROWS_AT_ONCE = 100_000  # that are sorted into buckets together


class Inputs(NamedTuple):
    """Tables that windows are made of. `snapshot_files` are those of `subscriber_month`: they tell its months."""

    subscriber_days: TableFiles
    subscriber_state: TableFiles
    measured_days: DataFrame
    subscriber_month: DataFrame
    snapshot_files: TableFiles
    products: DataFrame
    consumption_segments: TableFiles
    behaviour_segments: TableFiles
    subscriber_slice_days: TableFiles | None = None

    def snapshot_months(self, windows: Sequence[WindowEnd], plans: Plans) -> dict[tuple[WindowEnd, int], date]:
        """Month of the snapshot that counts in a window, now or some windows ago."""
        there = {file.partition for file in self.snapshot_files.files if file.partition}
        return snapshot_months(there, windows, plans)


class Sent(NamedTuple):
    """What of a table is sent to the workers: the columns of each partition; `of` says what it is there."""

    of: str
    columns: Mapping[date, tuple[str, ...]]
    texts: Sequence[str] = ()

    @classmethod
    def same(cls, of: str, columns: Iterable[str], partitions: Iterable[date], texts: Sequence[str] = ()) -> Sent:
        """The same columns of all partitions."""
        return cls(of, dict.fromkeys(partitions, tuple(columns)), texts)


class Files(NamedTuple):
    files: TableFiles
    sent: Sent

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files.files if file.partition in self.sent.columns)


def by_subscriber(
    inputs: Inputs, windows: Sequence[WindowEnd], plans: Plans, sliced: Plans | None = None, *, only: int | None = None
) -> DataFrame:
    """Rows of all tables that the windows of `plans` read, and those by slice that `sliced` does, packed: one partition
    per bucket of subscribers. `only`: of one subscriber."""
    months = inputs.snapshot_months(windows, plans)
    tables = list(_files(inputs, windows, plans, months))
    if sliced is not None:
        assert inputs.subscriber_slice_days is not None
        days = {file.partition for file in inputs.subscriber_slice_days.files if file.partition}
        names = SUBJECT, "day", "slice", "slice_value"
        columns = {day: (*names, *day_columns(sliced, windows, day, sliced=True)) for day in days}
        tables.append(Files(inputs.subscriber_slice_days, Sent(SLICE_DAYS, columns, ("slice", "slice_value"))))
    snapshots = []
    if wanted := sorted(set(months.values())):
        rows = inputs.subscriber_month.where(F.col("month").isin(*wanted))
        snapshots.append(snapshot_values(rows, inputs.products, plans))
    return bucketed(tables, snapshots, [inputs.measured_days.select("day", "complete_through")], only=only)


def bucketed(
    tables: Sequence[Files],
    snapshots: Sequence[DataFrame] = (),
    measured: Sequence[DataFrame] = (),
    *,
    only: int | None = None,
) -> DataFrame:
    """Packed rows of all of them, one partition per bucket of subscribers; days that were measured go to every one."""
    buckets = 1 if only is not None else buckets_of(sum(table.rows for table in tables), each=ROWS_PER_BUCKET)
    packs = [packed_by(rows, partial(_packed_rows, buckets=buckets, only=only)) for rows in snapshots]
    packs += [packed_by(rows, partial(_packed_for_all, buckets=buckets)) for rows in measured]
    for table in tables:
        pack = partial(_packed_files, sent=table.sent, buckets=buckets, only=only)
        packs.append(packed_by(table.files.listing, pack))
    return exchanged(reduce(DataFrame.unionByName, packs), buckets)


def _files(
    inputs: Inputs, windows: Sequence[WindowEnd], plans: Plans, months: dict[tuple[WindowEnd, int], date]
) -> Iterator[Files]:
    days = {day: (SUBJECT, "day", *day_columns(plans, windows, day)) for day in set(_days(windows, plans))}
    yield Files(inputs.subscriber_days, Sent(DAYS, days))
    as_of = {month_end_before(window.end) for window in windows}
    yield Files(inputs.subscriber_state, Sent.same(STATES, SUBSCRIBER_STATE.column_names, as_of))
    segments = (CONSUMPTION, inputs.consumption_segments), (BEHAVIOUR, inputs.behaviour_segments)
    for of, files in segments:
        yield Files(files, Sent.same(of, [SUBJECT, "month", "segment"], months.values(), ("segment",)))


def _days(windows: Sequence[WindowEnd], plans: Plans) -> Iterator[date]:
    """All that the windows look at, and those since the state before them."""
    for window in windows:
        for back in plans.day_backs:
            yield from window.bounds(back).days()
        yield from Span(window.end.replace(day=1), window.end).days()


def _packed_files(
    listing: Iterable[pa.RecordBatch], *, sent: Sent, buckets: int, only: int | None
) -> Iterator[pa.RecordBatch]:
    wanted: dict[tuple[str, ...], list[FilePart]] = {}
    for file in parts_of(listing):
        if file.partition in sent.columns:
            wanted.setdefault(sent.columns[file.partition], []).append(file)
    for columns, files in wanted.items():
        read = partial(read_part, columns=columns, dictionaries=sent.texts)
        yield from _packed(map(read, files), sent.of, buckets, only)


def _packed_rows(batches: Iterable[pa.RecordBatch], *, buckets: int, only: int | None) -> Iterator[pa.RecordBatch]:
    return _packed((_coded(pa.Table.from_batches([batch])) for batch in batches), SNAPSHOTS, buckets, only)


def _packed_for_all(batches: Iterable[pa.RecordBatch], *, buckets: int) -> Iterator[pa.RecordBatch]:
    tables = (marked(pa.Table.from_batches([batch]), MEASURED) for batch in batches)
    for rows in gathered(tables, rows=ROWS_AT_ONCE):
        yield pa.RecordBatch.from_arrays(
            [pa.array(range(buckets), pa.int32()), as_binary([rows] * buckets)], schema=BUCKETS
        )


def _packed(tables: Iterable[pa.Table], of: str, buckets: int, only: int | None) -> Iterator[pa.RecordBatch]:
    if only is not None:
        tables = (rows.filter(pc.equal(rows[SUBJECT], only)) for rows in tables)
    for rows in gathered(tables, rows=ROWS_AT_ONCE):
        yield from packed([_told(rows, of)], key=SUBJECT, buckets=buckets)


def _coded(rows: pa.Table) -> pa.Table:
    """Texts as a dictionary and a code per row."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_string(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].dictionary_encode())
    return rows


def _told(rows: pa.Table, of: str) -> pa.Table:
    """The rows as they are sent: numbers in as few bytes as they take; of days doubles as two whole numbers, and no
    columns of nothing but 0."""
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if of in ADDED and pa.types.is_floating(column.type):
            whole, fraction = exact_parts(column.to_numpy())
            columns |= {name: pa.array(whole), f"{name}__fraction": pa.array(fraction)}
        else:
            columns[name] = column
    subject = columns.pop(SUBJECT)
    sent = {name: narrow(column) for name, column in columns.items() if of not in ADDED or not _is_zero(column)}
    if subject.null_count:
        sent[NOBODY] = pc.is_null(subject)
    sent[SUBJECT] = subject.fill_null(0)
    return marked(pa.table(sent), of)


def _is_zero(column: pa.ChunkedArray | pa.Array) -> bool:
    return pa.types.is_integer(column.type) and pc.min_max(column).as_py() in NOTHING
