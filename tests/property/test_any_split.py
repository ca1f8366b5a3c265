"""Events in any split, order and repetition, days run in any order: the visits are those of one run over everything.

The product's planner and array code, with memory in place of Spark and the lake.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hypothesis import given, settings, strategies as st

from jobs import build_visits, cut_visits, stitch_visits
from tests.books import Books
from tests.conftest import PROPERTY_SCALE
from tests.oracles.coded_events import coded, table
from visitgrain.arrow.rows import FilePart
from visitgrain.catalogue.catalogue import Catalogue, load_catalogue
from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.runtime.content import Content
from visitgrain.runtime.delta_log import DataFile
from visitgrain.runtime.job import Pipeline, Read
from visitgrain.runtime.runner import steps
from visitgrain.span import Span
from visitgrain.tables import Table
from visitgrain.tables.visiting import DEVICE_VISITS, VISITS
from visitgrain.visits import starts
from visitgrain.visits.building import build
from visitgrain.visits.completing import completed
from visitgrain.visits.device_visits import in_parts, with_visit_id
from visitgrain.visits.identity import stitched
from visitgrain.visits.recency import with_history

CUT, BUILD, STITCH = cut_visits.JOB, build_visits.JOB, stitch_visits.JOB
PIPELINE = Pipeline(name="visits", summary="", grain="day", jobs=(CUT, BUILD, STITCH))
CATALOGUE = load_catalogue(Path(__file__).parents[2] / "conf", zone="UTC", visit_rules="default")
FIRST, DAYS = date(2026, 3, 1), 5
ALL = Span(FIRST, FIRST + timedelta(days=DAYS - 1))
MINUTE, HOUR = 60_000_000, 3_600_000_000
# Times between events by timeout in minutes: visits of a device, or runs that last for days.
GAPS = {
    30: [[0, 1, MINUTE, 29 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1, 5 * HOUR, 23 * HOUR, 40 * HOUR]],
    720: [[12 * HOUR, 12 * HOUR - 1, 12 * HOUR + 1], [12 * HOUR, 11 * HOUR, 5 * HOUR], [12 * HOUR, 12 * HOUR + 1]],
}
# A login reaches back over all days, or over one; a device on which two people log in is shared, or never is.
IDENTITIES = [
    {"mode": "time_sliced", "within_days": days, "shared_device": {"subscribers": people, "days": 1}}
    for days in (1, 30)
    for people in (1, 5)
] + [{"mode": "compat_last_login", "within_days": 1, "shared_device": {"subscribers": 5, "days": 30}}]
Event = dict[str, Any]


def rules(timeout_minutes: float, zone: str, identity: dict[str, Any]) -> Catalogue:
    """The shipped catalogue with another timeout: at 12 hours a few events make a run past the cap."""
    base = {**CATALOGUE.visit_rules.model_dump(), "identity": identity}
    changed = VisitRules(**{**base, "timeout_minutes": dict.fromkeys(("app", "web", "wechat"), timeout_minutes)})
    return CATALOGUE.model_copy(update={"visit_rules": changed, "zone": zone})


class Lake(Books):
    """Tables by day in memory."""

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        super().__init__()
        self.catalogue, self.folder = catalogue, folder
        self.events: dict[str, Event] = {}
        self.tables: dict[tuple[str, str], dict[date, pa.Table]] = {}  # by name and part
        self.contents: dict[int, tuple[pa.Table, Content]] = {}
        self.files: dict[int, Path] = {}
        self.kept: list[pa.Table] = []  # so that no other table gets the id of one

    def data_files(self, table: Table) -> list[DataFile]:
        return [
            DataFile(f"{part}-{self._content(rows).name}-x", 1, rows.num_rows, day)
            for (name, part), days in self.tables.items()
            if name == table.name
            for day, rows in days.items()
        ]

    def _content(self, rows: pa.Table) -> Content:
        """Tables are not changed, so each is hashed once."""
        if id(rows) not in self.contents:
            self.contents[id(rows)] = rows, Content.of(rows)
        return self.contents[id(rows)][1]

    def ingest(self, batch: list[Event]) -> None:
        self.events |= {event["event_id"]: event for event in batch}
        by_day: dict[date, list[Event]] = {}
        for event in sorted(self.events.values(), key=lambda event: event["event_id"]):
            by_day.setdefault(self._day(event), []).append(event)
        changed = {self._day(event) for event in batch}
        self.tables.setdefault(("events", "part"), {}).update({day: table(by_day[day]) for day in changed})

    def _day(self, event: Event) -> date:
        instant = datetime.fromtimestamp(event["t"] // 1_000_000, UTC)
        return instant.astimezone(ZoneInfo(self.catalogue.zone)).date()

    def run(self, span: Span) -> None:
        for job, part in steps(PIPELINE, span, self):
            parts = CUTS[job.name](self, part)
            for name in (job.part,) if job.part else ("settled", "open"):
                stored = self.tables.setdefault((job.writes[0].name, name), {})
                for day in part.days():
                    stored.pop(day, None)
                stored |= parts.get(name, {})
            self.record(job, part)

    def read(self, read: Read, span: Span) -> dict[date, pa.Table]:
        days = self.tables.get((read.table.name, read.part or "part"), {})
        first, last = read.of(span) or (None, None)
        return {d: days[d] for d in sorted(days) if (first is None or first <= d) and (last is None or d <= last)}

    def listing(self, days: dict[date, pa.Table]) -> Iterator[pa.RecordBatch]:
        for number, (day, rows) in enumerate(days.items()):
            path = self.files.get(id(rows))
            if path is None:  # tables are not changed, so each is written once
                path = self.folder / str(len(self.files)) / f"visit_date={day}" / "rows.parquet"
                path.parent.mkdir(parents=True)
                pq.write_table(rows, path)
                self.files[id(rows)], self.kept = path, [*self.kept, rows]
            yield pa.RecordBatch.from_pylist([asdict(FilePart(number, str(path), day, 0, 1, rows.num_rows, 0))])


def cut(lake: Lake, span: Span) -> dict[str, dict[date, pa.Table]]:
    events = lake.read(CUT.reads[0], span).values()
    if not events:
        return {}
    of = {"rules": lake.catalogue.visit_rules, "zone": lake.catalogue.zone, "first": span.start, "last": span.end}
    found = in_parts(with_visit_id(build(pa.concat_tables(events), **of)), lake.catalogue.visit_rules)
    kept = found.filter(pc.equal(found["_outcome"], "kept"))
    of_part = {part: kept.filter(pc.equal(kept["_part"], part)) for part in ("settled", "open")}
    return {part: _by_day(rows.select(DEVICE_VISITS.column_names)) for part, rows in of_part.items()}


def settle(lake: Lake, span: Span) -> dict[str, dict[date, pa.Table]]:
    now, past, _ = (lake.read(read, span) for read in BUILD.reads)
    own = [starts.of_settled(visits) for visits in starts.settled_now(lake.listing(now))]
    before = starts.settled_before(lake.listing(past), recent=starts.earliest_needed(span))
    return {"settled": complete(lake, now, [*own, *before])}


def stitch(lake: Lake, span: Span) -> dict[str, dict[date, pa.Table]]:
    now, open_around, settled_around, past, settled, *_ = (lake.read(read, span) for read in STITCH.reads)
    near = [*starts.around(lake.listing(open_around), without=span), *starts.around(lake.listing(settled_around))]
    visits = [*starts.open_now(lake.listing(now)), *near]
    if not now:
        return {}
    last_wins = lake.catalogue.visit_rules.identity.last_wins
    decided = stitched(together(visits), lake.catalogue.visit_rules.identity, starts.logins_taken_back(()))
    recent = starts.earliest_needed(span)
    before = [
        *starts.open_before(lake.listing(past), recent=recent, claimed_count=last_wins),
        *starts.settled_before(lake.listing(settled), recent=recent),
    ]
    return {"open": complete(lake, now, [*starts.of_open(decided, claimed_count=last_wins), *before])}


def complete(lake: Lake, now: dict[date, pa.Table], own: list[pa.Table]) -> dict[date, pa.Table]:
    if not now:
        return {}
    history = with_history(together(own))
    whole = []
    for number, rows in enumerate(now.values()):
        found = history.filter(pc.equal(history["file"], number)).sort_by("row")
        whole.append(completed(rows, found, lake.catalogue))
    return _by_day(pa.concat_tables(rows for rows in whole if rows.num_rows)) if any(map(len, whole)) else {}


def together(parts: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts, promote_options="permissive")


CUTS = {CUT.name: cut, BUILD.name: settle, STITCH.name: stitch}


def _by_day(visits: pa.Table) -> dict[date, pa.Table]:
    days = visits["visit_date"].unique().to_pylist()
    return {day: visits.filter(pc.equal(visits["visit_date"], day)) for day in days}


@contextmanager
def lake_of(catalogue: Catalogue) -> Iterator[Lake]:
    with tempfile.TemporaryDirectory() as folder:
        yield Lake(catalogue, Path(folder))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Catalogue, list[Event], list[Any]]:
    """Rules, events, and what happens: batches of events that come, once or twice, and days that are run."""
    zone = draw(st.sampled_from(["UTC", "Asia/Shanghai"]))
    start = int(datetime(2026, 3, 1, tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000
    timeout = draw(st.sampled_from([30, 720, 720]))
    events: list[Event] = []
    for stream in range(draw(st.integers(1, 3))):  # two channels of a device, and one of another
        t = start + draw(st.sampled_from([-1, 0, HOUR, 23 * HOUR + 50 * MINUTE, 60 * HOUR]))
        machine, gaps = draw(st.booleans()), draw(st.sampled_from(GAPS[timeout]))
        for gap in draw(st.lists(st.sampled_from(gaps), min_size=1, max_size=9)):
            t += gap
            facts: Event = {"stream": stream, "device_id": f"d{stream // 2}", "channel": ("app", "web")[stream % 2]}
            facts |= {"t": t, "event_id": f"e{len(events)}"}
            if not machine:
                facts["type"] = draw(st.sampled_from(["page_view", "page_view", "click", "push_receive", "logout"]))
                facts["subscriber_id"] = draw(st.sampled_from([None, None, 7, 8]))
            events.append(coded({"type": "page_view", **facts}))
    count = draw(st.integers(1, 20))
    batch_of = draw(st.lists(st.integers(0, count - 1), min_size=len(events), max_size=len(events)))
    batches = [[e for e, b in zip(events, batch_of, strict=True) if b == number] for number in sorted(set(batch_of))]
    replays = draw(st.lists(st.sampled_from(batches), max_size=2))
    days = draw(st.lists(st.integers(0, DAYS - 1), min_size=1, max_size=4))
    identity = draw(st.sampled_from(IDENTITIES))
    return rules(timeout, zone, identity), events, draw(st.permutations([*batches, *replays, *days]))


@settings(max_examples=300 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(histories())
def test_any_split_gives_the_visits_of_one_run(
    history: tuple[Catalogue, list[Event], list[Any]],
) -> None:
    catalogue, events, happens = history
    with lake_of(catalogue) as whole, lake_of(catalogue) as lake:
        whole.ingest(events)
        whole.run(ALL)
        for step in happens:
            if isinstance(step, list):
                lake.ingest(step)
            else:
                day = FIRST + timedelta(days=step)
                lake.run(Span(day, day))
        ran = {day for entry in lake.ran for day in entry.input_hashes}
        for day in reversed([day for day in ALL.days() if str(day) not in ran] or [ALL.end]):
            lake.run(Span(day, day))
        for kind in (DEVICE_VISITS, VISITS):
            found, expected = (
                {
                    (part, day): rows.sort_by("visit_id").to_pylist()
                    for (name, part), days in of.tables.items()
                    if name == kind.name
                    for day, rows in days.items()
                }
                for of in (lake, whole)
            )
            assert found == expected, kind.name
