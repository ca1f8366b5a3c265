"""What deciding whose visits are, and their history, needs of each visit: a few columns, read from files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.casting import micros
from visitgrain.arrow.hashing import hash_values, mix
from visitgrain.arrow.keys import Keys, KeysByDay
from visitgrain.arrow.rows import FilePart, parts_of, read_held, read_part
from visitgrain.span import Span
from visitgrain.tables.vocabulary import CHANNELS
from visitgrain.visits.encoding import code

FREQUENCY_DAYS = 30
# Where a visit that is to be written stands in the files of `device_visits`; others have no place.
PLACE = {"group": pl.Int64, "file": pl.Int64, "row": pl.Int32}
# What a visit is given by another one's login; null for all others.
GIVEN = {"method": pl.String, "login_t": pl.Int64, "login_event_id": pl.String, "decided_t": pl.Int64}
NUMBERS = ["number_id", "valid_from", "valid_to", "subscriber_id"]
# What is looked at: of a visit by itself, to decide whose others are; of the past of devices, of subscribers.
OF_VISIT = ("visit_id", "subscriber_id", "start", "runaway")
DECIDING = (*OF_VISIT, "device_id", "channel", "end", "last_event_type", "login_time", "login_event_id")
OF_OPEN = ("visit_id", "device_id", "start", "subscriber_id")
OF_SETTLED = ("visit_id", "subscriber_id", "start")
_DICTIONARIES = ["channel", "last_event_type"]


def settled_now(listing: Iterable[pa.RecordBatch], *, keys: KeysByDay | None = None) -> Iterator[pa.Table]:
    """Settled `device_visits` with their places: visit_id, subscriber and start `t`. Runaway ones are nobody's.

    With `keys`, those of its subscribers; without a place where the subscriber is of another day's keys only.
    """
    for file in parts_of(listing):
        yield _placed(*_visits(file, OF_VISIT, "subscriber_id", keys.ever if keys else None), file, keys)


def open_now(listing: Iterable[pa.RecordBatch], *, keys: KeysByDay | None = None) -> Iterator[pa.Table]:
    """Open `device_visits` in the columns that `identity` takes, with their places; as `settled_now`, by device."""
    for file in parts_of(listing):
        yield _placed(*_visits(file, DECIDING, "device_id", keys.ever if keys else None), file, keys)


def around(
    listing: Iterable[pa.RecordBatch], *, without: Span | None = None, since: date = date.min, keys: Keys | None = None
) -> Iterator[pa.Table]:
    """The same without places; but for the days of the span, and for those before `since`."""
    for file in parts_of(listing):
        day = file.partition or date.max
        if day >= since and not (without and without.start <= day <= without.end):
            visits, _ = _visits(file, DECIDING, "device_id", keys)
            yield visits.drop_columns(["row"])


def numbers_held(listing: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Who holds which number, with the key that brings it to the visits which name the number."""
    for file in parts_of(listing):
        numbers = read_part(file, NUMBERS)
        yield numbers.append_column("number", _key(numbers["number_id"]))


def logins_taken_back(files: Iterable[FilePart]) -> pa.Table:
    """Device and time of the logins that nothing is stitched by: few, and whoever stitches reads them all."""
    found = [pa.table({"device": pa.array([], pa.int64()), "t": pa.array([], pa.int64())})]
    for file in files:
        logins = read_part(file, ["device_id", "login_time"])
        found.append(pa.table({"device": _device(logins), "t": micros(logins["login_time"])}))
    return pa.concat_tables(found)


def with_number_key(visits: pa.Table) -> pa.Table:
    """`visits` with the key that brings those which name a number to its holders."""
    return visits.append_column("number", _key(pc.coalesce(visits["subscriber"], visits["visit_id"])))


def of_settled(visits: pa.Table) -> pa.Table:
    """Starts of settled visits: each counts in the history of its subscriber."""
    return _starts(visits, visits["subscriber"], by_device=False)


def of_open(visits: pa.Table, *, claimed_count: bool) -> Iterator[pa.Table]:
    """Starts of the stitched visits that are the span's.

    A claimed visit looks at the history of its subscriber, in which it counts only if `claimed_count`; it counts in
    that of its device, where it was anonymous. So does a visit without a place.
    """
    visits = visits.filter(pc.is_valid(visits["row"]))
    is_claimed = pc.is_valid(visits["method"])
    is_placed = pc.is_valid(visits["file"])
    anonymous = visits.filter(pc.and_not(is_placed, is_claimed))
    claimed = visits.filter(pc.and_(is_placed, is_claimed))
    others = visits.filter(pc.or_(is_claimed, pc.invert(is_placed))).drop_columns([*PLACE, *GIVEN])
    yield _starts(anonymous, anonymous["device"], by_device=True)
    yield _starts(claimed, claimed["subscriber"], by_device=False, counts=claimed_count)
    yield _starts(others, others["device"], by_device=True)


def settled_before(listing: Iterable[pa.RecordBatch], *, recent: int, keys: Keys | None = None) -> Iterator[pa.Table]:
    """Starts of settled `visits`: all since `recent`, and of those before it the latest of each subscriber."""
    tables = (_held(file, OF_SETTLED, "subscriber_id", keys)[0] for file in parts_of(listing))
    yield from _recent_and_latest(
        (_history(visits, visits["subscriber_id"], by_device=False) for visits in tables), recent
    )


def open_before(
    listing: Iterable[pa.RecordBatch], *, recent: int, claimed_count: bool, keys: Keys | None = None
) -> Iterator[pa.Table]:
    """Starts of open `visits`, which count for their devices, and as in `of_open`; as `settled_before`."""
    tables = (_held(file, OF_OPEN, "device_id", keys)[0] for file in parts_of(listing))
    yield from _recent_and_latest(_open_history(tables, claimed_count=claimed_count), recent)


def earliest_needed(span: Span) -> int:
    """From which start on (in microseconds) every earlier visit counts for the frequency of one of the span's.

    Two days early: local days begin up to 14 hours away from those of UTC.
    """
    first = span.widened(before=FREQUENCY_DAYS + 2).start
    return int(datetime.combine(first, time.min, UTC).timestamp()) * 1_000_000


def _visits(file: FilePart, columns: Sequence[str], by: str, keys: Keys | None) -> tuple[pa.Table, pa.ChunkedArray]:
    """Visits of a file in the columns that `identity` takes, with their rows in it; and their values of `by`."""
    cut, rows = _held(file, columns, by, keys)
    cut = cut.append_column("row", pa.array(rows.astype(np.int32)))
    cut = cut.filter(pc.is_null(cut["runaway"]))
    found = {"visit_id": cut["visit_id"], "subscriber": cut["subscriber_id"], "t": micros(cut["start"])}
    if "device_id" in columns:
        found |= {
            "device": _device(cut),
            "channel": code(cut["channel"], CHANNELS),
            "end": micros(cut["end"]),
            "logout": pc.equal(cut["last_event_type"], "logout"),
            "login_t": micros(cut["login_time"]),
            "login_event_id": cut["login_event_id"],
        }
    return pa.table({**found, "row": cut["row"]}), cut[by]


def _placed(visits: pa.Table, values: pa.ChunkedArray, file: FilePart, keys: KeysByDay | None) -> pa.Table:
    """`visits` with their place; null where the day's keys do not hold their `values`."""
    asked = keys.hold(values, file.partition) if keys else pa.repeat(pa.scalar(True), visits.num_rows)
    for name, value in (("group", file.group), ("file", file.number)):
        visits = visits.append_column(name, pc.if_else(asked, value, pa.scalar(None, pa.int64())))
    return visits


def _held(file: FilePart, columns: Sequence[str], by: str, keys: Keys | None) -> tuple[pa.Table, np.ndarray]:
    """The rows of a file whose value of `by` is one of `keys`, if any are given; and their places in it."""
    if keys:
        visits, held = read_held(file, columns, by, keys.hold, dictionaries=_DICTIONARIES)
        return visits, np.flatnonzero(held)
    visits = read_part(file, columns, dictionaries=_DICTIONARIES)
    return visits, np.arange(visits.num_rows)


def _starts(visits: pa.Table, subject: pa.ChunkedArray, *, by_device: bool, counts: bool = True) -> pa.Table:
    """`subject` is a subscriber or a device; the key brings it to its other visits."""
    own = {name: visits[name] for name in ("visit_id", "t", *PLACE, *GIVEN) if name in visits.column_names}
    rows = visits.num_rows
    flags = {"by_device": pa.repeat(by_device, rows), "counts": pa.repeat(counts, rows)}
    return pa.table({**own, **flags, "subject": subject, "key": _key(subject)})


def _history(visits: pa.Table, subject: pa.ChunkedArray, *, by_device: bool) -> pa.Table:
    starts = pa.table({"visit_id": visits["visit_id"], "t": micros(visits["start"])})
    return _starts(starts, subject, by_device=by_device)


def _open_history(tables: Iterable[pa.Table], *, claimed_count: bool) -> Iterator[pa.Table]:
    for visits in tables:
        yield _history(visits, _device(visits), by_device=True)
        if claimed_count:
            claimed = visits.filter(pc.is_valid(visits["subscriber_id"]))
            yield _history(claimed, claimed["subscriber_id"], by_device=False)


def _recent_and_latest(starts: Iterable[pa.Table], recent: int) -> Iterator[pa.Table]:
    latest = []
    for table in starts:
        yield table.filter(pc.greater_equal(table["t"], recent))
        before = table.filter(pc.less(table["t"], recent))
        if before.num_rows:
            latest.append(_latest(before))
    if latest:
        yield _latest(pa.concat_tables(latest))


def _latest(starts: pa.Table) -> pa.Table:
    ordered = pl.DataFrame(pl.from_arrow(starts)).sort("t", "visit_id")
    return ordered.unique(("subject", "by_device"), keep="last").to_arrow()


def _device(visits: pa.Table) -> pa.ChunkedArray:
    return pa.chunked_array([hash_values(visits["device_id"]).view(np.int64)])


def _key(ids: pa.ChunkedArray) -> pa.Array:
    return pa.array(mix(ids.to_numpy().view(np.uint64).copy()).view(np.int64))
