"""Visits as they are written: the files of `device_visits`, read again, with what was found out about each visit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.casting import INSTANT, constant
from visitgrain.arrow.keys import KeysByDay
from visitgrain.arrow.rows import FilePart, parts_of, read_held, read_part
from visitgrain.arrow.shuffle import unpacked
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.score_cards import score_versions
from visitgrain.span import DAY_US
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISITS
from visitgrain.visits.scores import visit_scores

_IDS = ("device_id", "login_event_id")
_NAMES = [c.name for c in DEVICE_VISITS.columns if c.type == "string" and c.name not in _IDS]  # few distinct texts each


def runaways(
    listing: Iterable[pa.RecordBatch], *, by: str = "device_id", keys: KeysByDay | None = None
) -> Iterator[pa.Table]:
    """Rows of `quarantined_visits`; with `keys`, those whose value of `by` is one of the day's."""
    columns = QUARANTINED_VISITS.column_names
    for file in parts_of(listing):
        if keys is None or file.partition in keys.of_day:
            found, _ = read_held(file, [*columns[:-1], "runaway"], "runaway", pc.is_valid, dictionaries=["channel"])
            found = found.rename_columns(columns)
            yield found.filter(keys.hold(found[by], file.partition)) if keys else found


def days_of(listing: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Rows of `visit_days`: the visits of each file, split by local day."""
    kept = ["visit_id", "visit_date", "subscriber_id", "channel"]
    for file in parts_of(listing):
        visits = read_part(file, [*kept, "days"], dictionaries=["channel"])
        days = visits["days"].combine_chunks()
        split = visits.select(kept).take(pc.list_parent_indices(days))
        entries = pc.list_flatten(days).flatten()
        for field, values in zip(days.type.value_type, entries, strict=True):
            split = split.append_column(field.name, values)
        yield split.append_column("is_start_day", pc.equal(split["day"], split["visit_date"]))


def with_columns(
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
        "decided_time": _decided(visits, history, last_wins=rules.identity.last_wins),
        "stitch_rule": pc.if_else(known, f"{rules.identity.mode}/{rules.version}", None).dictionary_encode(),
        "is_first_visit": history["is_first"],
        "gap_days": pc.divide(pc.subtract(history["t"], history["former"]).cast(pa.float64()), float(DAY_US)),
        "visits_30d": history["visits_30d"],
        "score": visit_scores(visits, spec.score_cards),
        "score_versions": constant(score_versions(spec.score_cards), rows),
    }
    return pa.table({name: computed[name] if name in computed else visits[name] for name in VISITS.column_names})


def _decided(visits: pa.Table, history: pa.Table, *, last_wins: bool) -> pa.Array | pa.ChunkedArray:
    """Where the last login wins, no visit is ever decided."""
    if last_wins:
        return pa.nulls(history.num_rows, INSTANT)
    return pc.coalesce(history["decided_t"].cast(INSTANT), visits["login_time"])
