"""What a run has to compute: worked examples with a lake of files whose versions are lists of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import cut_visits, stitch_visits
from tests.books import Books
from visitgrain.runtime.delta_log import DataFile
from visitgrain.runtime.touched import touched
from visitgrain.span import Span
from visitgrain.tables import TABLES, Table
from visitgrain.tables.inputs import EVENTS, NUMBERS
from visitgrain.tables.visiting import DEVICE_VISITS, OPEN, SETTLED, VISITS

CUT, STITCH = cut_visits.JOB, stitch_visits.JOB
FIRST, SECOND, THIRD = (date(2026, 3, day) for day in (1, 2, 3))
BOTH = Span(FIRST, SECOND)
DEVICES = ("a", "b", "c", "d")


class Lake(Books):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.versions = folder, {}
        self.catalogue = SimpleNamespace(
            hash="h", visit_rules=SimpleNamespace(cut="timeout", identity=SimpleNamespace(last_wins=False))
        )
        self.missing: set[str] = set()

    def write(self, table: Table, day: date | None, *rows: tuple[str, int], part: str = "part") -> None:
        """A version more: the rows of this day and part are these, as (device, subscriber)."""
        number = sum(map(len, self.versions.values()))
        folder = f"{table.partition}={day}/" if day else ""
        found = {column.name: [None] * len(rows) for column in table.columns if column.name != table.partition}
        found |= {
            "device_id": [row[0] for row in rows],
            "subscriber_id": pa.array([row[1] for row in rows], pa.int64()),
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

    def touched(self, job, span: Span) -> list[str] | None:
        """The devices that a run would compute; None = all."""
        found = touched(job, span, self, self.book, self.catalogue)
        return None if found is None else [d for d in DEVICES if found.keys.hold(pa.array([d]))[0].as_py()]


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
    lake.write(VISITS, FIRST, ("a", None), ("b", 2), part=OPEN)
    lake.record(STITCH, Span(FIRST, FIRST))
    return lake


def test_the_history_of_a_subscriber_touches_the_devices_of_claimed_visits(stitched):
    stitched.write(VISITS, FIRST, ("c", 2), ("d", 4), part=SETTLED)
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == []  # nobody's open visit is of subscriber 4
    stitched.write(VISITS, FIRST, ("c", 2), ("d", 2), part=SETTLED)
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == ["b"]


def test_later_visits_do_not_touch_the_history_of_earlier_ones(stitched):
    stitched.write(VISITS, SECOND, ("d", 2), part=SETTLED)
    stitched.write(DEVICE_VISITS, SECOND, ("a", 1), part=SETTLED)
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) == ["a"]  # a login, for the visit before it


def test_a_change_that_ties_all_rows(stitched):
    stitched.write(NUMBERS, None, ("x", 1))
    assert stitched.touched(STITCH, Span(FIRST, FIRST)) is None
    assert NUMBERS.name in TABLES
