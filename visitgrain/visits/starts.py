"""What deciding whose visits are, and their history, needs of each visit: a few columns, read from files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.casting import micros
from visitgrain.arrow.hashing import hash_values, mix
from visitgrain.arrow.rows import FilePart, parts_of, read_part
from visitgrain.span import Span
from visitgrain.tables.vocabulary import CHANNELS
from visitgrain.visits.encoding import code

FREQUENCY_DAYS = 30
# Where a visit that is to be written stands in the files of `device_visits`; others have no place.
PLACE = ("group", "file", "row")
# What a visit is given by another one's login; null for all others.
GIVEN = ("method", "login_t", "login_event_id")
_CUT = ["visit_id", "device_id", "channel", "start", "end", "last_event_type", "subscriber_id", "login_time"]
NUMBERS = ["number_id", "valid_from", "valid_to", "subscriber_id"]


def visits_now(listing: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Visits of `device_visits` in the columns that `identity` takes, each with its place."""
    for file in parts_of(listing):
        yield _visits(file, placed=True)


def visits_around(listing: Iterable[pa.RecordBatch], *, span: Span) -> Iterator[pa.Table]:
    """The same of the days outside of the span, without a place."""
    for file in parts_of(listing):
        if file.partition is None or not span.start <= file.partition <= span.end:
            yield _visits(file, placed=False)


def numbers_held(listing: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Who holds which number, with the key that brings it to the visits which name the number."""
    for file in parts_of(listing):
        numbers = read_part(file, NUMBERS)
        yield numbers.append_column("number", _key(numbers["number_id"]))


def with_number_key(visits: pa.Table) -> pa.Table:
    """`visits` with the key that brings those which name a number to its holders."""
    return visits.append_column("number", _key(pc.coalesce(visits["subscriber"], visits["visit_id"])))


def starts_of(visits: pa.Table) -> pa.Table:
    """Starts of those of the stitched visits that have a place.

    `subject` is a subscriber, or where nobody is known (`by_device`) a device; `key` brings it to its other visits.
    """
    visits = visits.filter(pc.is_valid(visits["file"]))
    claimed = pc.is_valid(visits["method"])
    given = {name: pc.if_else(claimed, visits[name], None) for name in GIVEN}
    return pa.table({**{name: visits[name] for name in PLACE}, **_start(visits), **given})


def starts_past(listing: Iterable[pa.RecordBatch], *, recent: int) -> Iterator[pa.Table]:
    """Starts of earlier visits: all since `recent`, and of those before it the latest of each subject."""
    latest = []
    for file in parts_of(listing):
        visits = read_part(file, ["visit_id", "device_id", "subscriber_id", "start"])
        columns = {"device": _device(visits), "subscriber": visits["subscriber_id"], "t": micros(visits["start"])}
        starts = pa.table(_start(pa.table({"visit_id": visits["visit_id"], **columns})))
        yield starts.filter(pc.greater_equal(starts["t"], recent))
        latest.append(_latest(starts.filter(pc.less(starts["t"], recent))))
    if latest:
        yield _latest(pa.concat_tables(latest))


def earliest_needed(span: Span) -> int:
    """From which start on (in microseconds) every earlier visit counts for the frequency of one of the span's.

    Two days early: local days begin up to 14 hours away from those of UTC.
    """
    first = span.widened(before=FREQUENCY_DAYS + 2).start
    return int(datetime.combine(first, time.min, UTC).timestamp()) * 1_000_000


def _visits(file: FilePart, *, placed: bool) -> pa.Table:
    """Without the runaway ones, which are nobody's. Only named visits have a `login_event_id`, which is long."""
    cut = read_part(file, [*_CUT, "login_event_id", "runaway"], dictionaries=["channel", "last_event_type"])
    columns = {
        "visit_id": cut["visit_id"],
        "device": _device(cut),
        "channel": code(cut["channel"], CHANNELS),
        "t": micros(cut["start"]),
        "end": micros(cut["end"]),
        "logout": pc.equal(cut["last_event_type"], "logout"),
        "subscriber": cut["subscriber_id"],
        "login_t": micros(cut["login_time"]),
        "login_event_id": cut["login_event_id"],
    }
    if placed:
        rows = np.arange(cut.num_rows, dtype=np.int32)
        columns |= {"group": pa.repeat(file.group, len(rows)), "file": pa.repeat(file.number, len(rows)), "row": rows}
    return pa.table(columns).filter(pc.is_null(cut["runaway"]))


def _start(visits: pa.Table) -> dict[str, pa.ChunkedArray]:
    by_device = pc.is_null(visits["subscriber"])
    subject = pc.coalesce(visits["subscriber"], visits["device"])
    return {
        "by_device": by_device,
        "subject": subject,
        "key": _key(subject),
        "t": visits["t"],
        "visit_id": visits["visit_id"],
    }


def _device(visits: pa.Table) -> np.ndarray:
    return hash_values(visits["device_id"]).view(np.int64)


def _latest(starts: pa.Table) -> pa.Table:
    ordered = pl.DataFrame(pl.from_arrow(starts)).sort("t", "visit_id")
    return ordered.unique(("subject", "by_device"), keep="last").to_arrow()


def _key(ids: pa.ChunkedArray) -> pa.Array:
    return pa.array(mix(ids.to_numpy().view(np.uint64).copy()).view(np.int64))
