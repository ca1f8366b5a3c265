"""Events -> `device_visits`: a shuffle by stream, a vectorised function per partition; see docs/adr/0007."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.hashing import hash_rows
from visitgrain.arrow.keys import KeysByDay
from visitgrain.arrow.rows import ArrowRows, Function, TableFiles, parts_of, read_held, read_part
from visitgrain.arrow.shuffle import buckets_of, exchanged, gathered, packed, packed_by, unpacked
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.span import Span
from visitgrain.tables.visiting import DEVICE_VISITS, OPEN, SETTLED
from visitgrain.visits.building import accounted, build
from visitgrain.visits.encoding import columns_of_events, dictionaries_of_events, to_coded_events

EVENTS_PER_TASK = 1_000_000  # of the cutting side: some 800 MB at work
EVENTS_AT_ONCE = 500_000  # of the reading side
EVENTS_PER_FILE = 3_000_000  # some 500,000 visits
MOST_OF_A_DEVICE = 100  # events on a day, of nearly all: only sizes depend on it
FEW = 4  # files of each day that a run may write from as many buckets
UNTOUCHED = "untouched"
# What becomes of events that are in no visit of the span: bots and tests, no collector key, received too late by the
# rules, background outside of visits, in a visit that starts on another day.
# With `touched` also: of another device.
FILTERED = ("excluded", "no_key", "received_late", "background", "outside", UNTOUCHED)


def to_device_visits(events: TableFiles, *, spec: Catalogue, span: Span, touched: KeysByDay | None = None) -> ArrowRows:
    """`device_visits` that start in the span, and the accounting of every event read.

    The one shuffle of event-sized data, and where buckets are many, one of the visits. Times that the visits need
    around the span are the reader's matter.
    """
    rows = _rows(events, touched)
    buckets = buckets_of(rows, each=EVENTS_PER_TASK)
    pack = partial(_packed, rules=spec.visit_rules, buckets=buckets, keys=touched)
    by_stream = exchanged(packed_by(events.listing, pack), buckets)
    cut = partial(_cut, rules=spec.visit_rules, zone=spec.zone, first=span.start, last=span.end)
    if buckets <= FEW:
        return ArrowRows(by_stream, cut, local=True)
    # Each bucket has a few visits of every day: brought together by day, files are few and large.
    days = len(list(span.days()))
    shares = buckets_of(rows // days, each=EVENTS_PER_FILE)
    by_day = packed_by(by_stream, partial(_by_day, cut=cut, first=span.start, days=days, shares=shares))
    return ArrowRows(exchanged(by_day, days * shares), _together, local=True)


def _rows(events: TableFiles, touched: KeysByDay | None) -> int:
    """About how many events are cut, at most."""
    if touched is None:
        return events.rows
    keys = {day: touched.count(day) for day in {file.partition for file in events.files}}
    return sum(min(file.rows, MOST_OF_A_DEVICE * keys[file.partition]) for file in events.files)


def _packed(
    listing: Iterator[pa.RecordBatch], *, rules: VisitRules, buckets: int, keys: KeysByDay | None
) -> Iterator[pa.RecordBatch]:
    columns, dictionaries = columns_of_events(rules), dictionaries_of_events()
    untouched = 0

    def chosen() -> Iterator[pa.Table]:
        nonlocal untouched
        for file in parts_of(listing):
            if keys is None:
                yield read_part(file, columns, dictionaries=dictionaries)
                continue
            hold = partial(keys.hold, day=file.partition)
            events, held = read_held(file, columns, "device_id", hold, dictionaries=dictionaries)
            untouched += len(held) - events.num_rows
            yield events

    for events in gathered(chosen(), rows=EVENTS_AT_ONCE):
        yield from packed([to_coded_events(events, rules=rules)], key="stream", buckets=buckets)
    if keys:
        yield from packed([pa.table({"stream": [0], UNTOUCHED: [untouched]})], key="stream", buckets=buckets)


def _cut(
    batches: Iterator[pa.RecordBatch], *, rules: VisitRules, zone: str, first: date, last: date
) -> Iterator[pa.Table]:
    events = unpacked(batches)
    if events is None:
        return
    if UNTOUCHED in events.column_names:
        yield in_parts(with_visit_id(accounted({UNTOUCHED: pc.sum(events[UNTOUCHED]).as_py()})), rules)
        events = events.filter(pc.is_null(events[UNTOUCHED])).drop_columns([UNTOUCHED])
    if events.num_rows:
        yield in_parts(with_visit_id(build(events, rules=rules, zone=zone, first=first, last=last)), rules)


def _by_day(
    batches: Iterator[pa.RecordBatch], *, cut: Function, first: date, days: int, shares: int
) -> Iterator[pa.RecordBatch]:
    """What `cut` makes, packed by day and, of large days, by visit. Rows without a day are accounts of events."""
    for visits in cut(batches):
        day = (visits["visit_date"].fill_null(first).to_numpy() - np.datetime64(first)).astype(np.int64)
        place = day * shares + visits["visit_id"].to_numpy() % shares
        yield from packed([visits.append_column("_place", pa.array(place))], key="_place", buckets=days * shares)


def _together(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    visits = unpacked(batches)
    if visits is not None:
        yield visits


def in_parts(visits: pa.Table, rules: VisitRules) -> pa.Table:
    """`visits` with the part each belongs to: may a login of another visit still decide whose it is?"""
    is_open = pc.or_(pc.is_null(visits["subscriber_id"]), rules.identity.last_wins)
    return visits.append_column("_part", pc.if_else(is_open, OPEN, SETTLED))


def with_visit_id(visits: pa.Table) -> pa.Table:
    """The columns of `device_visits` and the reserved ones. The id is a 63-bit hash of what makes a visit this one."""
    identity = hash_rows(visits.select(["device_id", "channel", "start", "first_event_id"])) >> np.uint64(1)
    reserved = [name for name in visits.column_names if name.startswith("_")]
    named = visits.append_column("visit_id", pa.array(identity.view(np.int64)))
    return named.select([*DEVICE_VISITS.column_names, *reserved])
