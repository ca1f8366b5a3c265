"""`device_visits` -> `visits`: each visit gets its subscriber, its recency and frequency, and its scores.

Only a few columns cross the shuffles; the others go from file to file. See docs/adr/0007 and 0012.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, reduce

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, functions as F

from visitgrain.arrow.casting import constant
from visitgrain.arrow.rows import ArrowRows, FilePart, TableFiles, parts_of, read_part
from visitgrain.arrow.shuffle import buckets_of, exchanged, packed, packed_by, unpacked
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.score_cards import score_versions
from visitgrain.catalogue.visit_rules import Identity
from visitgrain.span import DAY_US, Span
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISIT_DAYS, VISITS
from visitgrain.visits import starts
from visitgrain.visits.identity import stitched, with_holders
from visitgrain.visits.recency import with_history
from visitgrain.visits.scores import visit_scores

VISITS_PER_TASK = 2_000_000  # a few columns of each
INSTANT = pa.timestamp("us", tz="UTC")
Tables = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.Table]]
_IDS = ("device_id", "login_event_id")
_NAMES = [c.name for c in DEVICE_VISITS.columns if c.type == "string" and c.name not in _IDS]  # few distinct texts each


def to_visits(
    device_visits: TableFiles,
    visits_around: TableFiles,
    visits: TableFiles,
    numbers: TableFiles,
    unstitched: TableFiles,
    *,
    spec: Catalogue,
    span: Span,
) -> dict[str, ArrowRows]:
    """`visits` and `quarantined_visits` of the days of `device_visits`.

    `visits_around` holds the device visits that decide whose these are, `visits` all earlier visits. A visit belongs
    to the history of its subscriber, else of its device. Order within a subject: (start, visit_id).
    """
    groups = device_visits.groups
    buckets = buckets_of(visits_around.rows + visits.rows, each=VISITS_PER_TASK)
    around = partial(starts.visits_around, span=span)
    found = [(device_visits.listing, starts.visits_now), (visits_around.listing, around)]
    if numbers.rows:
        named = [(listing, partial(_by_number, visits=visits)) for listing, visits in found]
        by_number = _brought([*named, (numbers.listing, starts.numbers_held)], key="number", buckets=buckets)
        found = [(by_number, partial(_held, zone=spec.zone))]
    by_device = _brought(found, key="device", buckets=buckets)
    decide = partial(_decided, identity=spec.visit_rules.identity, taken_back=unstitched.files)
    past = partial(starts.starts_past, recent=starts.earliest_needed(span))
    by_subject = _brought([(by_device, decide), (visits.listing, past)], key="key", buckets=buckets)
    by_group = _brought([(by_subject, _histories)], key="group", buckets=groups)
    return {
        VISITS.name: ArrowRows(by_group, partial(_with_columns, files=device_visits.files, spec=spec)),
        QUARANTINED_VISITS.name: ArrowRows(device_visits.listing, _runaways),
    }


def to_visit_days(visits: DataFrame, *, spec: None = None, span: Span | None = None) -> DataFrame:
    """`visit_days`: one row per visit and local day it touches."""
    days = visits.select("visit_id", "visit_date", "subscriber_id", "channel", F.inline("days"))
    return days.select(*VISIT_DAYS.column_names[:-1], (F.col("day") == F.col("visit_date")).alias("is_start_day"))


def _brought(parts: Iterable[tuple[DataFrame, Tables]], *, key: str, buckets: int) -> DataFrame:
    """What each function makes of its frame, rows of the same `key` in one partition."""
    together = (packed_by(frame, partial(_packed, tables=tables, key=key, buckets=buckets)) for frame, tables in parts)
    return exchanged(reduce(DataFrame.unionByName, together), buckets)


def _packed(batches: Iterable[pa.RecordBatch], *, tables: Tables, key: str, buckets: int) -> Iterator[pa.RecordBatch]:
    return packed(tables(batches), key=key, buckets=buckets)


def _by_number(listing: Iterable[pa.RecordBatch], *, visits: Tables) -> Iterator[pa.Table]:
    """Each visit with the key that brings it to the holders of its number."""
    return map(starts.with_number_key, visits(listing))


def _held(batches: Iterable[pa.RecordBatch], *, zone: str) -> Iterator[pa.Table]:
    """Visits of a bucket with the holders of the numbers in it."""
    both = unpacked(batches)
    if both is not None and "visit_id" in both.column_names:
        named = pc.is_valid(both["visit_id"])
        numbers = both.filter(pc.invert(named)).select(starts.NUMBERS) if "number_id" in both.column_names else None
        visits = both.filter(named).drop_columns([n for n in (*starts.NUMBERS, "number") if n in both.column_names])
        yield visits if numbers is None else with_holders(visits, numbers, zone)


def _decided(
    batches: Iterable[pa.RecordBatch], *, identity: Identity, taken_back: Sequence[FilePart]
) -> Iterator[pa.Table]:
    """Starts of the visits of the span, of a bucket of whole devices."""
    visits = unpacked(batches)
    if visits is not None and "file" in visits.column_names:
        logins = [read_part(file, ["login_event_id"])["login_event_id"] for file in taken_back]
        ids = pa.chunked_array(logins, pa.string()).combine_chunks()
        yield starts.starts_of(stitched(visits, identity, ids))


def _histories(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    found = unpacked(batches)
    if found is not None and "file" in found.column_names:
        yield with_history(found)


def _runaways(listing: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Rows of `quarantined_visits`."""
    columns = QUARANTINED_VISITS.column_names
    for file in parts_of(listing):
        visits = read_part(file, [*columns[:-1], "runaway"], dictionaries=["channel", "runaway"])
        yield visits.rename_columns(columns).filter(pc.is_valid(visits["runaway"]))


def _with_columns(
    batches: Iterator[pa.RecordBatch], *, files: Sequence[FilePart], spec: Catalogue
) -> Iterator[pa.Table]:
    """The files of one group of visits, read again, with the columns that the history gave."""
    found = unpacked(batches)
    if found is None:
        return
    history = found.sort_by([("file", "ascending"), ("row", "ascending")]).combine_chunks()
    for number, start, rows in _runs(history["file"]):
        visits = read_part(files[number], DEVICE_VISITS.column_names, dictionaries=_NAMES)
        yield completed(visits, history.slice(start, rows), spec)


def _runs(values: pa.ChunkedArray) -> Iterator[tuple[int, int, int]]:
    """Value, first place and length of each run of equal values."""
    encoded = pc.run_end_encode(values.combine_chunks())
    start = 0
    for value, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
        yield value, start, end - start
        start = end


def completed(visits: pa.Table, history: pa.Table, spec: Catalogue) -> pa.Table:
    """Rows of `device_visits` as rows of `visits`. `history`: what `with_history` says of those that stay, in order."""
    if history.num_rows < visits.num_rows:
        visits = visits.take(history["row"])
    subscriber, rows = history["subscriber"], visits.num_rows
    known = pc.is_valid(subscriber)
    rules = spec.visit_rules
    computed = {
        "subscriber_id": subscriber,
        "subject_type": pc.if_else(known, "subscriber", "device").dictionary_encode(),
        "stitch_method": pc.coalesce(history["method"], visits["stitch_method"].cast(pa.string())).dictionary_encode(),
        "login_event_id": pc.coalesce(history["login_event_id"], visits["login_event_id"]),
        "login_time": pc.coalesce(history["login_t"].cast(INSTANT), visits["login_time"]),
        "stitch_rule": pc.if_else(known, f"{rules.identity.mode}/{rules.version}", None).dictionary_encode(),
        "is_first_visit": pc.is_null(history["former"]),
        "gap_days": pc.divide(pc.subtract(history["t"], history["former"]).cast(pa.float64()), float(DAY_US)),
        "visits_30d": history["visits_30d"],
        "score": visit_scores(visits, spec.score_cards),
        "score_versions": constant(score_versions(spec.score_cards), rows),
    }
    return pa.table({name: computed[name] if name in computed else visits[name] for name in VISITS.column_names})
