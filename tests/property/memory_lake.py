"""The product's planner and array code, with memory in place of Spark and the lake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from jobs import build_visits, cut_visits, stitch_visits
from tests.books import Books
from tests.oracles.coded_events import table
from visitgrain.arrow import changes, rows as arrow_rows
from visitgrain.arrow.casting import INSTANT
from visitgrain.arrow.rows import FilePart, TableFiles
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.runtime.content import Content
from visitgrain.runtime.delta_log import DataFile, paths_of
from visitgrain.runtime.job import Pipeline, Read
from visitgrain.runtime.runner import steps
from visitgrain.runtime.touched import Touched, touched
from visitgrain.span import Span
from visitgrain.tables import Table
from visitgrain.tables.inputs import EVENTS
from visitgrain.visits import starts
from visitgrain.visits.building import build
from visitgrain.visits.completing import completed
from visitgrain.visits.device_visits import in_parts, with_visit_id
from visitgrain.visits.history import claimants, logins_since
from visitgrain.visits.identity import stitched
from visitgrain.visits.recency import with_history

CUT, BUILD, STITCH = cut_visits.JOB, build_visits.JOB, stitch_visits.JOB
PIPELINE = Pipeline(name="visits", summary="", grain="day", jobs=(CUT, BUILD, STITCH))
Event = dict[str, Any]
Places = dict[tuple[str, date], pa.Table]  # rows by part and day


class Lake(Books):
    """Tables by part and day, in memory, each version of them."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.events: dict[str, Event] = {}
        self.versions: dict[str, list[Places]] = {}

    def places(self, table: Table, version: int | None = None) -> Places:
        versions = self.versions.get(table.name, [{}])
        return versions[-1 if version is None else version]

    @property
    def zone(self) -> str:
        return self.catalogue.zone

    def data_files(self, table: Table, version: int | None = None) -> list[DataFile]:
        found = self.places(table, version).items()
        return [DataFile(_path(part, rows), 1, rows.num_rows, day) for (part, day), rows in found]

    def version(self, table: Table) -> int:
        return len(self.versions.get(table.name, ())) - 1

    def has(self, table: Table) -> bool:
        return table.name in self.versions

    def path(self, table: Table) -> str:
        return table.name

    def intact(self, table: Table, files: Iterable[DataFile]) -> bool:
        return True

    def ingest(self, batch: list[Event]) -> None:
        self.events |= {event["event_id"]: event for event in batch}
        by_day: dict[date, list[Event]] = {}
        for event in sorted(self.events.values(), key=lambda event: event["event_id"]):
            by_day.setdefault(self._day(event), []).append(event)
        changed = {self._day(event) for event in batch}
        self.store(EVENTS, {("part", day): table(by_day[day]) for day in changed}, set())

    def _day(self, event: Event) -> date:
        instant = datetime.fromtimestamp(event["t"] // 1_000_000, UTC)
        return instant.astimezone(ZoneInfo(self.catalogue.zone)).date()

    def store(self, table: Table, rows: Places, replaced: set[tuple[str, date]]) -> None:
        """A version more; rows that are the same as before are those of before."""
        held = self.places(table)
        kept = {place: found for place, found in held.items() if place not in replaced}
        new = {place: held[place] if _same(held.get(place), found) else found for place, found in rows.items()}
        self.versions.setdefault(table.name, []).append(kept | new)

    def run(self, span: Span) -> None:
        for job, part in steps(PIPELINE, span, self, self.entries()):
            only = touched(job, part, self, self.book, self.catalogue)
            parts = (job.part,) if job.part else ("settled", "open")
            places = {(name, day) for name in parts for day in part.days()}
            rows = {place: found for place, found in RUNS[job.name](self, part, only).items() if found.num_rows}
            for name, day in places if only else ():
                held = self.places(job.writes[0]).get((name, day))
                if held is not None and day in only.ran:
                    stay = only.others(held, day)
                    rows[name, day] = together([stay, rows[name, day]]) if (name, day) in rows else stay
            before = set(self.data_files(job.writes[0]))
            self.store(job.writes[0], {place: found for place, found in rows.items() if found.num_rows}, places)
            after = set(self.data_files(job.writes[0]))
            for name, day in places if only else ():
                came, went = (
                    paths_of(f for f in files if (f.part, f.partition) == (name, day))
                    for files in (after - before, before - after)
                )
                if tie := only.tie(day):
                    self.rewrites[came, went] = tie
            self.record(job, part)

    def read(self, read: Read, span: Span) -> dict[date, pa.Table]:
        first, last = read.of(span) or (None, None)
        found = {day: rows for (part, day), rows in self.places(read.table).items() if part == (read.part or "part")}
        return {d: found[d] for d in sorted(found) if (first is None or first <= d) and (last is None or d <= last)}

    def listing(self, days: dict[date, pa.Table]) -> Iterator[pa.RecordBatch]:
        for part in self.parts(days):
            yield pa.RecordBatch.from_pylist([asdict(part)])

    def parts(self, days: dict[date, pa.Table]) -> tuple[FilePart, ...]:
        files = enumerate(days.items())
        return tuple(FilePart(n, _path("", rows), day, 0, 1, rows.num_rows, 0) for n, (day, rows) in files)


KEPT: dict[str, tuple[pa.Table, Content]] = {}  # by path: no table is changed, and none gets the id of another


def _content(rows: pa.Table) -> Content:
    """Each table is hashed once."""
    if str(id(rows)) not in KEPT:
        KEPT[str(id(rows))] = rows, Content.of(rows)
    return KEPT[str(id(rows))][1]


def _path(part: str, rows: pa.Table) -> str:
    """Each table has one; what it begins with tells the part."""
    return f"{part}-{_content(rows).name}-{id(rows)}"


def _same(one: pa.Table | None, other: pa.Table) -> bool:
    return one is not None and _content(one) == _content(other)


def from_memory(file: FilePart, columns: Sequence[str], **_: Any) -> pa.Table:
    rows = KEPT[file.path.rpartition("-")[2]][0]
    if file.part:  # no row group
        rows = rows.slice(0, 0)
    if "event_time" in columns:  # events are coded already
        rows = rows.append_column("event_time", rows["t"].cast(INSTANT))
    return rows.select([name for name in columns if name in rows.column_names])


def cut(lake: Lake, span: Span, only: Touched | None) -> Places:
    events = lake.read(CUT.reads[0], span).items()
    chosen = [rows.filter(only.keys.hold(rows["device_id"], day)) if only else rows for day, rows in events]
    if not any(day.num_rows for day in chosen):
        return {}
    of = {"rules": lake.catalogue.visit_rules, "zone": lake.catalogue.zone, "first": span.start, "last": span.end}
    found = in_parts(with_visit_id(build(pa.concat_tables(chosen), **of)), lake.catalogue.visit_rules)
    kept = found.filter(pc.equal(found["_outcome"], "kept"))
    of_part = {part: kept.filter(pc.equal(kept["_part"], part)) for part in ("settled", "open")}
    return {place: rows for part in of_part for place, rows in _by_day(part, of_part[part]).items()}


def settle(lake: Lake, span: Span, only: Touched | None) -> Places:
    keys = only.keys if only else None
    now, past, _ = (lake.read(read, span) for read in BUILD.reads)
    own = [starts.of_settled(visits) for visits in starts.settled_now(lake.listing(now), keys=keys)]
    ever = keys.ever if keys else None
    before = starts.settled_before(lake.listing(past), recent=starts.earliest_needed(span), keys=ever)
    return complete(lake, "settled", now, [*own, *before])


def stitch(lake: Lake, span: Span, only: Touched | None) -> Places:
    keys = only.keys if only else None
    ever = keys.ever if keys else None
    identity = lake.catalogue.visit_rules.identity
    now, open_around, settled_around, past, settled, *_ = (lake.read(read, span) for read in STITCH.reads)
    near = [
        *starts.around(lake.listing(open_around), without=span, keys=ever),
        *starts.around(lake.listing(settled_around), since=logins_since(keys, identity.shared_device), keys=ever),
    ]
    visits = [*starts.open_now(lake.listing(now), keys=keys), *near]
    if not now:
        return {}
    decided = stitched(together(visits), identity, starts.logins_taken_back(()))
    recent = starts.earliest_needed(span)
    asked = claimants(TableFiles(None, lake.parts(settled_around)), keys) if keys else None
    before = [
        *starts.open_before(lake.listing(past), recent=recent, claimed_count=identity.last_wins, keys=ever),
        *starts.settled_before(lake.listing(settled), recent=recent, keys=asked),
    ]
    return complete(lake, "open", now, [*starts.of_open(decided, claimed_count=identity.last_wins), *before])


def complete(lake: Lake, part: str, now: dict[date, pa.Table], own: list[pa.Table]) -> Places:
    if not now:
        return {}
    history = with_history(together(own))
    found: Places = {}
    for number, rows in enumerate(now.values()):
        of_day = history.filter(pc.equal(history["file"], number)).sort_by("row")
        if of_day.num_rows:
            found |= _by_day(part, completed(rows, of_day, lake.catalogue))
    return found


def together(parts: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts, promote_options="permissive")


RUNS = {CUT.name: cut, BUILD.name: settle, STITCH.name: stitch}


def _by_day(part: str, visits: pa.Table) -> Places:
    plain = pa.schema(
        [
            (f.name, getattr(f.type, "value_type", f.type)) if pa.types.is_dictionary(f.type) else f
            for f in visits.schema
        ]
    )
    days = visits["visit_date"].unique().to_pylist()
    names = [name for name in visits.column_names if not name.startswith("_")]
    return {(part, d): visits.cast(plain).filter(pc.equal(visits["visit_date"], d)).select(names) for d in days}


@contextmanager
def two_lakes(catalogue: Catalogue) -> Iterator[tuple[Lake, Lake]]:
    """One to run over everything at once, one as it comes; their files are in memory."""
    KEPT.clear()
    with ExitStack() as patches:
        for module in (starts, changes, arrow_rows):
            patches.enter_context(patch.object(module, "read_part", from_memory))
        yield Lake(catalogue), Lake(catalogue)
