"""Starts of visits and what a subject's earlier ones make of them: recency and frequency, as array code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.casting import micros
from visitgrain.arrow.hashing import hash_values, mix
from visitgrain.arrow.rows import parts_of, read_part
from visitgrain.span import DAY_US, Span

FREQUENCY_DAYS = 30
NOWHERE = -1  # group, file and row of a visit of an earlier run
# `subject` is a subscriber, or where nobody is known (`by_device`) a device; `t` is the start in microseconds.
STARTS = pa.schema(
    [
        ("group", pa.int64()),
        ("file", pa.int32()),
        ("row", pa.int32()),
        ("by_device", pa.bool_()),
        ("subject", pa.int64()),
        ("key", pa.int64()),  # of the shuffle
        ("t", pa.int64()),
        ("visit_id", pa.int64()),
    ]
)
_COLUMNS = ["visit_id", "device_id", "subscriber_id", "start"]


def starts_now(listing: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Starts of `device_visits`, each with its place. Runaway visits belong to nobody's history."""
    for file in parts_of(listing):
        visits = read_part(file, [*_COLUMNS, "runaway"])
        starts = _starts(visits, file.group, file.number, np.arange(visits.num_rows))
        yield starts.filter(pc.is_null(visits["runaway"]))


def starts_past(listing: Iterable[pa.RecordBatch], *, recent: int) -> Iterator[pa.Table]:
    """Starts of earlier visits: all since `recent`, and of those before it the latest of each subject."""
    latest = []
    for file in parts_of(listing):
        visits = read_part(file, _COLUMNS)
        starts = pl.DataFrame(pl.from_arrow(_starts(visits, NOWHERE, NOWHERE, np.full(visits.num_rows, NOWHERE))))
        yield starts.filter(pl.col("t") >= recent).to_arrow().cast(STARTS)
        latest.append(_latest(starts.filter(pl.col("t") < recent)))
    if latest:
        yield _latest(pl.concat(latest)).to_arrow().cast(STARTS)


def _latest(starts: pl.DataFrame) -> pl.DataFrame:
    return starts.sort("t", "visit_id").unique(("subject", "by_device"), keep="last")


def earliest_needed(span: Span) -> int:
    """From which start on (in microseconds) every earlier visit counts for the frequency of one of the span's.

    Two days early: local days begin up to 14 hours away from those of UTC.
    """
    first = span.widened(before=FREQUENCY_DAYS + 2).start
    return int(datetime.combine(first, time.min, UTC).timestamp()) * 1_000_000


def with_history(starts: pa.Table) -> pa.Table:
    """`group`, `file`, `row`, `t` of the starts that have a place; `former`: start of the subject's visit before;
    `visits_30d`: visits of the subject in the 30 days up to this one, both ends and itself included.

    Order within a subject: (t, visit_id); what starts in the same microsecond counts for each other.
    """
    ordered = pl.DataFrame(pl.from_arrow(starts)).sort("subject", "by_device", "t", "visit_id")
    subject, by_device, t = (ordered[name].to_numpy() for name in ("subject", "by_device", "t"))
    rows = np.arange(len(t))
    first = np.ones(len(t), dtype=bool)
    first[1:] = (subject[1:] != subject[:-1]) | (by_device[1:] != by_device[:-1])
    of_subject = np.maximum.accumulate(np.where(first, rows, 0))
    # Rows of the same microsecond end at `last`.
    opens = first.copy()
    opens[1:] |= t[1:] != t[:-1]
    ends = np.append(np.flatnonzero(opens)[1:], len(t)) - 1
    last = ends[np.cumsum(opens) - 1] if len(t) else rows
    earliest = _first_at_least(t, t - FREQUENCY_DAYS * DAY_US, of_subject, rows)
    former = pl.Series(np.roll(t, 1)).set(pl.Series(first), None)
    frequency = pl.Series((last - earliest + 1).astype(np.int32))
    placed = ordered.select("group", "file", "row", "t", former=former, visits_30d=frequency)
    return placed.filter(pl.col("file") != NOWHERE).to_arrow()


def _first_at_least(t: np.ndarray, bound: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Per row: the first place from `low` on with t >= bound; `high` is one. A bisection of all rows at once."""
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        reached = t[middle] >= bound
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle + 1, low)
    return low


def _starts(visits: pa.Table, group: int, file: int, row: np.ndarray) -> pa.Table:
    """Rows of `visits` or `device_visits` in the columns of `STARTS`."""
    by_device = pc.is_null(visits["subscriber_id"])
    subject = pc.fill_null(visits["subscriber_id"], 0).to_numpy().copy()
    anonymous = by_device.to_numpy()
    subject[anonymous] = hash_values(visits["device_id"].filter(by_device)).view(np.int64)
    columns = {
        "group": pa.repeat(group, visits.num_rows),
        "file": pa.repeat(pa.scalar(file, pa.int32()), visits.num_rows),
        "row": pa.array(row.astype(np.int32)),
        "by_device": by_device,
        "subject": pa.array(subject),
        "key": pa.array(mix(subject.view(np.uint64).copy()).view(np.int64)),
        "t": micros(visits["start"]),
        "visit_id": visits["visit_id"],
    }
    return pa.table(columns, schema=STARTS)
