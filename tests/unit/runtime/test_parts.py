"""Tables in parts: each part's files are its own, and whoever writes says which part it writes."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest

from jobs import build_visits
from visitgrain.errors import GateRefused
from visitgrain.runtime.content import Content
from visitgrain.runtime.delta_log import DataFile, Snapshot
from visitgrain.runtime.file_writer import Report
from visitgrain.runtime.job import Job
from visitgrain.runtime.staging import Staged
from visitgrain.tables.visiting import VISITS

DAY = date(2026, 3, 1)
STORE = SimpleNamespace(size=lambda path: 10)  # every file is as long as its commit says


def held(part: str, rows: int) -> DataFile:
    return DataFile(f"visit_date={DAY}/{part}-{Content(rows, 1, 2).name}-x.parquet", 10, rows, DAY)


def staged(part: str, rows: int) -> Staged:
    file = {"path": held(part, rows).path, "partitionValues": {"visit_date": str(DAY)}}
    return Staged(VISITS, Report(files=[file]), lambda day: True, 1, part)


def test_the_same_rows_in_another_part_are_a_change():
    assert staged("open", 3).against([held("open", 3)], STORE).added == []  # control
    change = staged("open", 3).against([held("settled", 3)], STORE)
    assert [file["path"] for file in change.added] == [held("open", 3).path]
    assert change.removed == [held("settled", 3)]
    assert change.partitions == (DAY,)


def test_a_snapshot_is_narrowed_to_a_part():
    files = (held("open", 3), held("settled", 4))
    assert Snapshot(1, 1, "", files).only(None, "settled").files == files[1:]
    assert Snapshot(1, 1, "", files).only(None).files == files


def test_rows_without_a_part_are_refused():
    staged("open", 3).check(())
    with pytest.raises(GateRefused, match="table visits: rows of part 'part'; its parts are settled, open"):
        staged("part", 3).check(())


def test_a_job_names_a_part_that_the_table_has():
    parts = {
        name: getattr(build_visits.JOB, name) for name in ("name", "reads", "writes", "transform", "grain", "summary")
    }
    with pytest.raises(ValueError, match="table visits has no part 'setled': settled, open"):
        Job(**parts, part="setled")
