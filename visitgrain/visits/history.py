"""`device_visits` -> `visits`: each visit gets its subscriber, its recency and frequency, and its scores.

Settled visits name their subscriber, open ones wait for somebody to log in: docs/adr/0012. Only a few columns cross
the shuffles; the others go from file to file: docs/adr/0007.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial, reduce
from math import ceil

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from visitgrain.arrow.changes import Owners, Tie, keys_in
from visitgrain.arrow.keys import Keys, KeysByDay, union
from visitgrain.arrow.rows import ArrowRows, FilePart, Function, TableFiles
from visitgrain.arrow.shuffle import buckets_of, exchanged, packed, packed_by, unpacked
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.visit_rules import Identity, SharedDevice
from visitgrain.span import Span
from visitgrain.tables.visiting import QUARANTINED_VISITS, VISITS
from visitgrain.visits import starts
from visitgrain.visits.completing import days_of, runaways, with_columns
from visitgrain.visits.identity import stitched, with_holders
from visitgrain.visits.recency import with_history

VISITS_PER_TASK = 2_000_000  # a few columns of each
Tables = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.Table]]


def to_settled_visits(
    device_visits: TableFiles,
    visits: TableFiles,
    numbers: TableFiles,
    *,
    spec: Catalogue,
    span: Span,
    touched: KeysByDay | None = None,
) -> dict[str, ArrowRows]:
    """Settled rows of `visits` and `quarantined_visits`. `visits`: all earlier settled ones.

    Order within a subscriber: (start, visit_id).
    """
    buckets = buckets_of(device_visits.rows + visits.rows, each=VISITS_PER_TASK)
    named = partial(starts.settled_now, keys=touched)
    now = _with_holders([(device_visits.listing, named)], numbers, buckets=buckets, zone=spec.zone)
    of_now = [(frame, partial(_each, tables=tables, make=starts.of_settled)) for frame, tables in now]
    ever = touched.ever if touched else None
    past = partial(starts.settled_before, recent=starts.earliest_needed(span), keys=ever)
    by_subject = _brought([*of_now, (visits.listing, past)], key="key", buckets=buckets)
    return _completed(by_subject, device_visits, spec, partial(runaways, by="subscriber_id", keys=touched))


def to_open_visits(
    device_visits: TableFiles,
    open_around: TableFiles,
    settled_around: TableFiles,
    visits: TableFiles,
    settled: TableFiles,
    numbers: TableFiles,
    unstitched: TableFiles,
    *,
    spec: Catalogue,
    span: Span,
    touched: KeysByDay | None = None,
) -> dict[str, ArrowRows]:
    """Open rows of `visits` and `quarantined_visits`, those that a login claims with their subscriber.

    `open_around` and `settled_around` are the device visits that decide; `visits`: all earlier open visits, the
    history of devices; `settled`: all settled ones up to the end of the span, the history of subscribers.
    """
    rows = sum(table.rows for table in (device_visits, open_around, settled_around, visits, settled))
    buckets = buckets_of(rows, each=VISITS_PER_TASK)
    ever, identity = touched.ever if touched else None, spec.visit_rules.identity
    found = [
        (device_visits.listing, partial(starts.open_now, keys=touched)),
        (open_around.listing, partial(starts.around, without=span, keys=ever)),
        (
            settled_around.listing,
            partial(starts.around, since=logins_since(touched, identity.shared_device), keys=ever),
        ),
    ]
    by_device = _brought(_with_holders(found, numbers, buckets=buckets, zone=spec.zone), key="device", buckets=buckets)
    recent = starts.earliest_needed(span)
    decide = partial(_decided, identity=identity, taken_back=unstitched.files)
    past = partial(starts.open_before, recent=recent, claimed_count=identity.last_wins, keys=ever)
    of_devices = (visits.listing, past)
    asked = claimants(settled_around, touched) if touched and not numbers.rows else None
    of_subscribers = (settled.listing, partial(starts.settled_before, recent=recent, keys=asked))
    by_subject = _brought([(by_device, decide), of_devices, of_subscribers], key="key", buckets=buckets)
    return _completed(by_subject, device_visits, spec, partial(runaways, by="device_id", keys=touched))


def logins_since(touched: KeysByDay | None, shared: SharedDevice) -> date:
    """The first day of visits that decide about touched ones: a shared device shows some days before a login.

    A touched visit is decided by a login that is not earlier than the first change; a visit may begin on the day
    before its login, and so many hours touch one day more.
    """
    return _before(touched, ceil(shared.days) + 2)


def claimants(settled_around: TableFiles, touched: KeysByDay) -> Keys:
    """The subscribers who log in on touched devices since anything changed: nobody else's history is asked for."""
    devices, since = touched.ever, _before(touched, 1)
    files = [file for file in settled_around.files if (file.partition or date.max) >= since]
    units = [Owners("subscriber_id", (Tie("device_id", devices),), file) for file in files]
    return union(keys_in(units, devices.power, lambda: settled_around.listing.sparkSession), devices.power)


def to_visit_days(visits: TableFiles, *, spec: None = None, span: Span | None = None) -> ArrowRows:
    """`visit_days`: one row per visit and local day it touches."""
    return ArrowRows(visits.listing, days_of)


def _completed(
    by_subject: DataFrame, device_visits: TableFiles, spec: Catalogue, quarantined: Function
) -> dict[str, ArrowRows]:
    by_group = _brought([(by_subject, _histories)], key="group", buckets=device_visits.groups)
    return {
        VISITS.name: ArrowRows(by_group, partial(with_columns, files=device_visits.files, spec=spec), local=True),
        QUARANTINED_VISITS.name: ArrowRows(device_visits.listing, quarantined, local=True),
    }


def _brought(parts: Iterable[tuple[DataFrame, Tables]], *, key: str, buckets: int) -> DataFrame:
    """What each function makes of its frame, rows of the same `key` in one partition."""
    together = (packed_by(frame, partial(_packed, tables=tables, key=key, buckets=buckets)) for frame, tables in parts)
    return exchanged(reduce(DataFrame.unionByName, together), buckets)


def _packed(batches: Iterable[pa.RecordBatch], *, tables: Tables, key: str, buckets: int) -> Iterator[pa.RecordBatch]:
    return packed(tables(batches), key=key, buckets=buckets)


def _with_holders(
    visits: list[tuple[DataFrame, Tables]], numbers: TableFiles, *, buckets: int, zone: str
) -> list[tuple[DataFrame, Tables]]:
    """`visits` with the holders of the numbers that they name; a feed without numbers pays nothing."""
    if not numbers.rows:
        return visits
    named = [(frame, partial(_each, tables=tables, make=starts.with_number_key)) for frame, tables in visits]
    by_number = _brought([*named, (numbers.listing, starts.numbers_held)], key="number", buckets=buckets)
    return [(by_number, partial(_held, zone=zone))]


def _each(
    batches: Iterable[pa.RecordBatch], *, tables: Tables, make: Callable[[pa.Table], pa.Table]
) -> Iterator[pa.Table]:
    return map(make, tables(batches))


def _held(batches: Iterable[pa.RecordBatch], *, zone: str) -> Iterator[pa.Table]:
    """Visits of a bucket with the holders of the numbers in it."""
    both = unpacked(batches)
    if both is not None and "visit_id" in both.column_names:
        is_visit = pc.is_valid(both["visit_id"])
        columns = [name for name in (*starts.NUMBERS, "number") if name in both.column_names]
        visits = both.filter(is_visit).drop_columns(columns)
        has_numbers = "number_id" in both.column_names
        numbers = both.filter(pc.invert(is_visit)).select(starts.NUMBERS) if has_numbers else None
        yield visits if numbers is None else with_holders(visits, numbers, zone)


def _decided(
    batches: Iterable[pa.RecordBatch], *, identity: Identity, taken_back: Sequence[FilePart]
) -> Iterator[pa.Table]:
    """Starts of the visits of the span, of a bucket of whole devices."""
    visits = unpacked(batches)
    if visits is not None and "file" in visits.column_names:
        logins = starts.logins_taken_back(taken_back)
        yield from starts.of_open(stitched(visits, identity, logins), claimed_count=identity.last_wins)


def _histories(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    found = unpacked(batches)
    if found is not None and "file" in found.column_names:
        yield with_history(found)


def _before(touched: KeysByDay | None, days: int) -> date:
    """So many days before anything changed."""
    since = touched.since if touched else None
    return since - timedelta(days=days) if since and since > date.min + timedelta(days=days) else date.min
