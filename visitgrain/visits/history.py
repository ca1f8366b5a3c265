"""`device_visits` -> `visits`: each visit gets the recency and frequency of its subject and its scores.

Only starts of visits cross the shuffle; the other columns go from file to file. See docs/adr/0007.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, functions as F

from visitgrain.arrow.casting import constant
from visitgrain.arrow.rows import ArrowRows, FilePart, TableFiles, parts_of, read_part
from visitgrain.arrow.shuffle import buckets_of, exchanged, packed, packed_by, unpacked
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.score_cards import score_versions
from visitgrain.span import DAY_US, Span
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISIT_DAYS, VISITS
from visitgrain.visits.scores import visit_scores
from visitgrain.visits.starts import earliest_needed, starts_now, starts_past, with_history

STARTS_PER_TASK = 2_000_000
_IDS = ("device_id", "login_event_id")
_NAMES = [c.name for c in DEVICE_VISITS.columns if c.type == "string" and c.name not in _IDS]  # few distinct texts each


def to_visits(device_visits: TableFiles, visits: TableFiles, *, spec: Catalogue, span: Span) -> dict[str, ArrowRows]:
    """`visits` and `quarantined_visits` of the days of `device_visits`; `visits` holds the earlier ones, all of them.

    A visit belongs to the history of its subscriber, else of its device. Order within a subject: (start, visit_id).
    """
    buckets, groups = buckets_of(device_visits.rows + visits.rows, each=STARTS_PER_TASK), device_visits.groups
    before = partial(starts_past, recent=earliest_needed(span))
    now = packed_by(device_visits.listing, partial(_packed, starts=starts_now, buckets=buckets))
    past = packed_by(visits.listing, partial(_packed, starts=before, buckets=buckets))
    by_subject = exchanged(now.unionByName(past), buckets)
    by_group = exchanged(packed_by(by_subject, partial(_histories, groups=groups)), groups)
    return {
        VISITS.name: ArrowRows(by_group, partial(_with_columns, files=device_visits.files, spec=spec)),
        QUARANTINED_VISITS.name: ArrowRows(device_visits.listing, _runaways),
    }


def to_visit_days(visits: DataFrame, *, spec: None = None, span: Span | None = None) -> DataFrame:
    """`visit_days`: one row per visit and local day it touches."""
    days = visits.select("visit_id", "visit_date", "subscriber_id", "channel", F.inline("days"))
    return days.select(*VISIT_DAYS.column_names[:-1], (F.col("day") == F.col("visit_date")).alias("is_start_day"))


def _runaways(listing: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Rows of `quarantined_visits`."""
    columns = QUARANTINED_VISITS.column_names
    for file in parts_of(listing):
        visits = read_part(file, [*columns[:-1], "runaway"], dictionaries=["channel", "runaway"])
        yield visits.rename_columns(columns).filter(pc.is_valid(visits["runaway"]))


def _packed(
    listing: Iterable[pa.RecordBatch], *, starts: Callable[..., Iterator[pa.Table]], buckets: int
) -> Iterator[pa.RecordBatch]:
    return packed(starts(listing), key="key", buckets=buckets)


def _histories(batches: Iterable[pa.RecordBatch], *, groups: int) -> Iterator[pa.RecordBatch]:
    starts = unpacked(batches)
    if starts is not None:
        yield from packed([with_history(starts)], key="group", buckets=groups)


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
    """Rows of `device_visits` as rows of `visits`. `history` has `row`, `t`, `former`, `visits_30d` of what stays."""
    if history.num_rows < visits.num_rows:
        visits = visits.take(history["row"])
    known, rows = pc.is_valid(visits["subscriber_id"]), visits.num_rows
    gap = pc.subtract(history["t"], history["former"]).cast(pa.float64())
    computed = {
        "subject_type": pc.if_else(known, "subscriber", "device").dictionary_encode(),
        "stitch_rule": pc.if_else(known, f"same_visit/{spec.visit_rules.version}", None).dictionary_encode(),
        "is_first_visit": pc.is_null(history["former"]),
        "gap_days": pc.divide(gap, float(DAY_US)),
        "visits_30d": history["visits_30d"],
        "score": visit_scores(visits, spec.score_cards),
        "score_versions": constant(score_versions(spec.score_cards), rows),
    }
    return pa.table({name: computed[name] if name in computed else visits[name] for name in VISITS.column_names})
