"""When a period counts as done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from jobs import build_visits
from visitgrain.cli.status import _missing, _ranges
from visitgrain.runtime.ledger import Entry, code_version, is_done
from visitgrain.span import Span

DAY = date(2026, 3, 1)
JOB = build_visits.JOB


def entry(table: str, day: date = DAY, **changes: object) -> Entry:
    made = Entry(
        run_id="r",
        job=JOB.name,
        table_name=table,
        period_start=day,
        period_end=day,
        status="ok",
        code_version=code_version(),
        catalogue_hash="c",
        input_versions={},
        output_version=1,
        rows_in=0,
        outcomes={},
        rows_out=0,
        content_hash="",
        error=None,
        started_at=datetime(2026, 3, 2, tzinfo=UTC),
        seconds=1.0,
    )
    return replace(made, **changes)


FIRST, SECOND = (table.name for table in JOB.writes)


@pytest.mark.parametrize(
    ("entries", "done"),
    [
        ([entry(FIRST), entry(SECOND)], True),
        ([entry(FIRST)], False),  # one of two tables
        ([entry(FIRST), entry(SECOND), entry(SECOND, status="failed")], False),  # the last run counts
        ([entry(FIRST), entry(SECOND, status="failed"), entry(SECOND)], True),
        ([entry(FIRST), entry(SECOND, catalogue_hash="d")], False),
        ([entry(FIRST), entry(SECOND, code_version="0.0.1")], False),
        ([entry(FIRST), entry(SECOND, period_end=date(2026, 3, 2))], False),  # another span
        ([], False),
    ],
)
def test_a_period_is_done(entries, done):
    assert is_done(entries, JOB, Span(DAY, DAY), catalogue_hash="c") == done


def test_missing_periods_lie_between_the_first_and_the_last():
    entries = [entry(FIRST, date(2026, 3, day)) for day in (1, 2, 5, 7)]
    entries.append(entry(FIRST, date(2026, 3, 7), status="failed"))
    missing = _missing("day", entries)
    assert [day.day for day in missing] == [3, 4, 6, 7]
    assert _ranges(missing, "day") == "2026-03-03..2026-03-04, 2026-03-06..2026-03-07"
    assert _ranges([date(2026, 1, 1), date(2026, 2, 1), date(2026, 5, 1)], "month") == "2026-01..2026-02, 2026-05"
