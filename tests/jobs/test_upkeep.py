"""After `maintain` no period is due and the next run changes nothing: the planner sees the same contents."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from deltalake import DeltaTable

from tests.jobs.test_runbook import Place, place  # noqa: F401
from visitgrain.arrow.rows import FilePart, read_part
from visitgrain.cli import main
from visitgrain.runtime import delta_log
from visitgrain.runtime.content import by_partition
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.ledger import Ledger
from visitgrain.tables import TABLES

EVENTS = TABLES["events"]
DAY = date(2026, 3, 10)
BOOKS = {"run_ledger", "published_runs", "quality_results", "table_reports"}


def in_many_files(lake: Lake, pieces: int = 5) -> None:
    """The events of the day as a job with many tasks would have left them."""
    [file] = (file for file in lake.data_files(EVENTS) if file.partition == DAY)
    writer = lake.writer(EVENTS)
    rows = read_part(FilePart(0, f"{lake.path(EVENTS)}/{file.path}", DAY, 0, 1, file.rows, 0), EVENTS.column_names)
    added = []
    size = -(-rows.num_rows // pieces)
    for number in range(pieces):
        some = rows.slice(number * size, size)
        added += replace(writer, function=lambda _, some=some: iter([some])).write(iter(())).files
    upon = delta_log.snapshot(lake.store, EVENTS, lake.version(EVENTS))
    delta_log.commit(lake.store, EVENTS, upon=upon, added=added, removed=[file], run_id="test", data_change=False)


def contents(lake: Lake) -> dict[str, dict]:
    tables = [table for name, table in TABLES.items() if lake.has(table) and name not in BOOKS]
    return {table.name: by_partition((f.partition, f.content) for f in lake.data_files(table)) for table in tables}


def versions(lake: Lake) -> dict[str, int]:
    return {name: lake.version(table) for name, table in TABLES.items() if lake.has(table) and name not in BOOKS}


def run(place: Place, *arguments: str) -> int:  # noqa: F811
    with pytest.raises(SystemExit) as left:
        main([*place.options, *arguments])
    return int(left.value.code or 0)


def test_the_next_run_after_maintain_changes_nothing(place, capsys):  # noqa: F811
    in_many_files(place.lake)
    before = contents(place.lake)
    assert run(place, "maintain") == 0
    assert contents(place.lake) == before
    assert len([file for file in place.lake.data_files(EVENTS) if file.partition == DAY]) == 1  # it did something
    maintained = versions(place.lake)
    assert run(place, "run", "daily", "--date", str(DAY)) == 0
    assert (contents(place.lake), versions(place.lake)) == (before, maintained)
    ran = [entry for entry in Ledger(place.lake.store).entries() if entry.job == "cut_visits"]
    assert (ran[-1].period_start, ran[-1].period_end) == (DAY, DAY)  # no other day was due
    capsys.readouterr()
    assert run(place, "status") == 0
    assert "touched: " not in capsys.readouterr().out


def test_files_of_another_program_are_another_content(place, capsys):  # noqa: F811
    """Control: what an OPTIMIZE of another engine would do to the days that read the events."""
    in_many_files(place.lake)
    DeltaTable(place.lake.path(EVENTS)).optimize.compact()
    assert run(place, "status") == 0
    assert "touched: cut_visits" in capsys.readouterr().out
