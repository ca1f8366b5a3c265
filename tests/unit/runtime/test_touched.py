"""What a run has to compute: worked examples with a lake of files whose versions are lists of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import build_visits, cut_visits, stitch_visits
from tests.books import Books
from visitgrain.arrow.changes import Tie
from visitgrain.arrow.keys import Keys, slots_of
from visitgrain.runtime.delta_log import DataFile
from visitgrain.runtime.touched import touched
from visitgrain.span import Span
from visitgrain.tables import TABLES, Table
from visitgrain.tables.inputs import EVENTS, NUMBERS
from visitgrain.tables.visiting import DEVICE_VISITS, OPEN, SETTLED, VISITS

CUT, BUILD, STITCH = cut_visits.JOB, build_visits.JOB, stitch_visits.JOB
FIRST, SECOND, THIRD = (date(2026, 3, day) for day in (1, 2, 3))
BOTH = Span(FIRST, SECOND)
DEVICES = ("a", "b", "c", "d")


class Lake(Books):
    zone = "UTC"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.versions = folder, {}
        self.catalogue = SimpleNamespace(
            hash="h",
            visit_rules=SimpleNamespace(
                cut="timeout",
                timeout_minutes={"app": 30, "web": 10},
                max_received_after_start_days=None,
                identity=SimpleNamespace(last_wins=False),
            ),
        )
        self.missing: set[str] = set()

    def write(self, table: Table, day: date | None, *rows: tuple, part: str = "part") -> None:
        """A version more: the rows of this day and part are these, as (device, subscriber, time): noon by default."""
        number = sum(map(len, self.versions.values()))
        folder = f"{table.partition}={day}/" if day else ""
        found = {column.name: [None] * len(rows) for column in table.columns if column.name != table.partition}
        found |= {
            "device_id": [row[0] for row in rows],
            "subscriber_id": pa.array([row[1] for row in rows], pa.int64()),
            **{name: [_at(day, *row[2:]) for row in rows] for name in ("event_time", "decided_time") if day},
        }
        file = DataFile(f"{folder}{part}-{len(rows)}-{number:016x}-{number:016x}-x", 1, len(rows), day)
        path = self.folder / table.name / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({name: found[name] for name in found if name in table.column_names}), path)
        others = [f for f in self.data_files(table) if (f.partition, f.part) != (day, part)]
        self.versions.setdefault(table.name, []).append([*others, *([file] if rows else [])])

    def data_files(self, table: Table, version: int | None = None) -> list[DataFile]:
        return self.versions.get(table.name, [[]])[-1 if version is None else version]

    def version(self, table: Table) -> int:
        return len(self.versions.get(table.name, ())) - 1

    def has(self, table: Table) -> bool:
        return self.version(table) >= 0

    def path(self, table: Table) -> str:
        return str(self.folder / table.name)

    def intact(self, table: Table, files: Iterable[DataFile]) -> bool:
        return not self.missing & {file.path for file in files}

    def touched(self, job, span: Span, day: date | None = None) -> list[str] | None:
        """The devices that a run would compute, on this day or at all; None = all."""
        found = touched(job, span, self, self.book, self.catalogue)
        if found is None:
            return None
        held = found.keys.hold(pa.array(DEVICES), day) if day else found.keys.ever.hold(pa.array(DEVICES))
        return [device for device, is_held in zip(DEVICES, held.to_pylist(), strict=True) if is_held]


def _at(day: date, clock: str | None = "12:00") -> datetime | None:
    return datetime.combine(day, time.fromisoformat(clock), UTC) if clock else None


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Two days, cut: a and b on the first, b on the second."""
    made = Lake(tmp_path)
    made.write(EVENTS, FIRST, ("a", 1), ("b", 2))
    made.write(EVENTS, SECOND, ("b", 2))
    made.record(CUT, BOTH)
    made.write(DEVICE_VISITS, FIRST, ("a", 1), ("b", 2), part=SETTLED)
    return made


def test_a_late_event_touches_its_device(lake):
    lake.write(EVENTS, SECOND, ("b", 2), ("c", 3))
    assert lake.touched(CUT, BOTH) == ["c"]


def test_an_event_that_went_touches_its_device(lake):
    lake.write(EVENTS, FIRST, ("b", 2))
    assert lake.touched(CUT, BOTH) == ["a"]


def test_a_new_day_is_computed_for_its_own_devices(lake):
    lake.write(EVENTS, THIRD, ("d", 4))
    assert lake.touched(CUT, Span(FIRST, THIRD)) == ["d"]
    lake.record(CUT, Span(FIRST, THIRD))
    lake.write(EVENTS, SECOND, ("b", 2), ("a", 1))
    assert lake.touched(CUT, Span(FIRST, THIRD)) == ["a"]


def test_a_device_is_computed_on_the_days_to_which_its_events_lead(lake):
    near, far = ("b", 2, "23:30"), ("b", 2, "23:29")
    for last, days in ((near, [FIRST, SECOND]), (far, [SECOND])):
        lake.write(EVENTS, FIRST, ("a", 1), last)
        lake.record(CUT, BOTH)
        lake.write(EVENTS, SECOND, ("b", 2, "00:30"))
        assert [day for day in BOTH.days() if lake.touched(CUT, BOTH, day)] == days
        lake.write(EVENTS, SECOND, ("b", 2, "12:00"))
        lake.record(CUT, BOTH)


def test_an_event_that_went_led_to_the_day_before(lake):
    lake.write(EVENTS, FIRST, ("b", 2, "23:50"))
    lake.write(EVENTS, SECOND, ("b", 2, "00:10"), ("b", 2, "12:00"))
    lake.record(CUT, BOTH)
    lake.write(EVENTS, SECOND, ("b", 2, "12:00"))
    assert [lake.touched(CUT, BOTH, day) for day in BOTH.days()] == [["b"], ["b"]]


def test_changes_since_the_run_of_each_day_count(lake):
    lake.write(EVENTS, SECOND, ("b", 2), ("c", 3))
    lake.record(CUT, Span(SECOND, SECOND))
    lake.write(EVENTS, SECOND, ("b", 2), ("c", 3), ("d", 4))
    assert lake.touched(CUT, Span(SECOND, SECOND)) == ["d"]
    assert lake.touched(CUT, BOTH) == ["c", "d"]  # the first day has not seen c


def test_everything_where_nothing_is_known(lake):
    assert lake.touched(CUT, BOTH) is None  # complete, asked for again
    lake.write(EVENTS, SECOND, ("b", 2), ("c", 3))
    assert lake.touched(CUT, BOTH) == ["c"]  # control
    whole, lake.ran = lake.ran, []
    assert lake.touched(CUT, BOTH) is None  # never ran
    lake.ran = [replace(whole[0], status="failed")]
    assert lake.touched(CUT, BOTH) is None
    lake.ran = [replace(whole[0], code_version="other")]
    assert lake.touched(CUT, BOTH) is None
    lake.ran = [replace(whole[0], catalogue_hash="other")]
    assert lake.touched(CUT, BOTH) is None
    lake.ran = whole
    lake.missing = {lake.data_files(DEVICE_VISITS)[0].path}
    assert lake.touched(CUT, BOTH) is None  # a file of the output is damaged: a run repairs it
    lake.missing = {lake.data_files(EVENTS, 1)[1].path}
    assert lake.touched(CUT, BOTH) is None  # what went is no longer there to be looked at


def test_rules_by_which_a_job_is_not_local(lake):
    lake.write(EVENTS, SECOND, ("b", 2), ("c", 3))
    assert lake.touched(CUT, BOTH) == ["c"]  # control
    lake.catalogue.visit_rules.cut = "collector_key"
    assert lake.touched(CUT, BOTH) is None


@pytest.fixture
def stitched(lake) -> Lake:
    """The open visits of a and b, stitched: that of b belongs to subscriber 2, whose device is c."""
    lake.write(DEVICE_VISITS, FIRST, ("a", None), ("b", None), part=OPEN)
    lake.write(DEVICE_VISITS, FIRST, ("c", 2), part=SETTLED)
    lake.write(VISITS, FIRST, ("c", 2), part=SETTLED)
    lake.write(VISITS, FIRST, ("a", None, None), ("b", 2), part=OPEN)
    lake.record(STITCH, Span(FIRST, FIRST))
    return lake


def test_the_history_of_a_subscriber_touches_the_devices_of_claimed_visits(stitched):
    stitched.write(VISITS, FIRST, ("c", 2), ("d", 4), part=SETTLED)
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == []  # nobody's open visit is of subscriber 4
    stitched.write(VISITS, FIRST, ("c", 2), ("d", 2), part=SETTLED)
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == ["b"]


def test_later_visits_do_not_touch_the_history_of_earlier_ones(stitched):
    stitched.write(VISITS, SECOND, ("d", 2), part=SETTLED)
    stitched.write(DEVICE_VISITS, SECOND, ("a", 1), ("b", 1), part=SETTLED)
    # A login, for the visit before it; b's belongs to somebody already.
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == ["a"]


def test_a_login_before_the_one_that_claims_a_visit_decides_about_it(stitched):
    stitched.write(DEVICE_VISITS, FIRST, ("b", 1), ("c", 2), part=SETTLED)
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == ["b"]


def test_what_a_run_changes_on_a_day_is_history_for_its_later_days(lake):
    lake.write(DEVICE_VISITS, SECOND, ("b", 2), part=SETTLED)
    lake.write(VISITS, FIRST, ("a", 1), ("b", 2), part=SETTLED)
    lake.write(VISITS, SECOND, ("b", 2), part=SETTLED)
    lake.record(BUILD, BOTH)
    lake.write(DEVICE_VISITS, FIRST, ("a", 1), ("b", 2), ("c", 3), part=SETTLED)
    lake.write(DEVICE_VISITS, SECOND, ("b", 2), ("d", 4), part=SETTLED)
    found = touched(BUILD, BOTH, lake, lake.book, lake.catalogue)
    assert found.keys.hold(pa.array([2, 3, 4]), FIRST).to_pylist() == [False, True, False]
    assert found.keys.hold(pa.array([2, 3, 4]), SECOND).to_pylist() == [False, True, True]


def test_of_files_that_the_lake_itself_rewrote_for_some_keys_only_their_rows_count(stitched):
    """Both rows differ, and it is known that one of the two devices was computed again."""
    went = frozenset(f.path for f in stitched.data_files(DEVICE_VISITS) if f.part == OPEN)
    stitched.write(DEVICE_VISITS, FIRST, ("a", 5), ("b", 5), part=OPEN)
    came = frozenset(f.path for f in stitched.data_files(DEVICE_VISITS) if f.part == OPEN)
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == ["a", "b"]  # control
    stitched.rewrites[came, went] = Tie("device_id", Keys.at([slots_of(pa.array(["b"]), 16)], 16))
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == ["b"]


def test_a_change_that_ties_all_rows(stitched):
    stitched.write(NUMBERS, None, ("x", 1))
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) is None
    assert NUMBERS.name in TABLES
