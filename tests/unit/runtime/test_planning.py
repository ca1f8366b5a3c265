"""What is complete, touched and missing, and what a run of a pipeline does about it: no Spark, no file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pytest

from jobs import (
    build_churn_features,
    build_visits,
    cut_visits,
    score_churn,
    split_open_visit_days,
    split_visit_days,
    stitch_visits,
    summarise_months,
)
from pipelines import daily
from tests.books import Books
from visitgrain.cli.status import ranges
from visitgrain.runtime.content import Content
from visitgrain.runtime.delta_log import DataFile
from visitgrain.runtime.job import Pipeline
from visitgrain.runtime.planning import Book, Inputs, State, next_run
from visitgrain.runtime.runner import steps
from visitgrain.span import Span

CUT, SPLIT = cut_visits.JOB, split_visit_days.JOB
OF_THE_DAY = (build_visits.JOB, stitch_visits.JOB, SPLIT, split_open_visit_days.JOB)


def march(first: int, last: int | None = None) -> Span:
    return Span(date(2026, 3, first), date(2026, 3, last or first))


class World(Books):
    """Contents of tables by day, and jobs that make of a day's inputs a content of their own."""

    def __init__(self, tables: dict[str, dict[int, int]]) -> None:
        super().__init__()
        self.tables = tables
        self.catalogue = SimpleNamespace(hash="c")

    def data_files(self, table) -> list[DataFile]:
        days = self.tables.get(table.name, {})
        return [
            DataFile(f"{part}-{Content(1, 0, n).name}-x.parquet", 1, 1, date(2026, 3, day))
            for part in table.parts or ("part",)
            for day, n in days.items()
        ]


def run(world: World, pipeline: Pipeline, span: Span) -> list[str]:
    """The steps of a run, each done: `job first-last`. A day's output is the sum of what the job read for it."""
    done = []
    for job, part in steps(pipeline, span, world, world.entries()):
        done.append(f"{job.name} {part.start.day}-{part.end.day}")
        for period in part.periods(job.grain):
            window = job.reads[0].window(period)
            read = [n for day, n in world.tables.get(job.reads[0].table.name, {}).items() if _in(day, window)]
            if job in OF_THE_DAY:
                read = [world.tables[job.reads[0].table.name].get(period.start.day, 0)]
            for table in job.writes[:1]:
                world.tables.setdefault(table.name, {})[period.start.day] = sum(read)
        world.record(job, part)
    return done


def _in(day: int, window) -> bool:
    first, last = window
    return (first is None or first <= date(2026, 3, day)) and (last is None or date(2026, 3, day) <= last)


@pytest.fixture
def world() -> World:
    return World({"events": {day: 100 + day for day in range(1, 9)}})


def test_a_first_run_does_what_is_asked(world):
    assert run(world, daily.PIPELINE, march(1, 8)) == [
        "cut_visits 1-8",
        "build_visits 1-8",
        "stitch_visits 1-8",
        "split_visit_days 1-8",
        "split_open_visit_days 1-8",
    ]
    assert world.book.state(CUT, march(4)) == State.COMPLETE
    assert world.book.state(CUT, march(9)) == State.MISSING


def test_the_day_asked_for_runs_again_and_nothing_else(world):
    run(world, daily.PIPELINE, march(1, 8))
    assert run(world, daily.PIPELINE, march(5)) == [
        "cut_visits 5-5",
        "build_visits 5-5",
        "stitch_visits 5-5",
        "split_visit_days 5-5",
        "split_open_visit_days 5-5",
    ]


def test_a_late_event_touches_the_days_whose_visits_it_may_change(world):
    """A day's visits are decided by the events of two days before it to two days after it."""
    run(world, daily.PIPELINE, march(1, 7))
    world.tables["events"][4] += 1
    assert sorted(period.start.day for period in world.book.due(CUT)) == [2, 3, 4, 5, 6]
    done = run(world, daily.PIPELINE, march(8))
    # Cutting is independent by day, history is not: after a changed day every later one is looked at.
    assert done[:4] == ["cut_visits 2-6", "cut_visits 8-8", "build_visits 2-6", "build_visits 7-8"]
    assert done[4] == "stitch_visits 1-8"  # whose the open visits are is decided by a month before and after them
    assert not any(world.book.due(job) for job in daily.PIPELINE.jobs)


def test_what_comes_out_the_same_touches_nothing_further(world):
    run(world, daily.PIPELINE, march(1, 7))
    world.tables["events"][1] += 1
    world.tables["events"][2] -= 1  # the days 1 to 4 that read both sum up to what they did
    done = run(world, daily.PIPELINE, march(8))
    assert done[:2] == ["cut_visits 1-4", "cut_visits 8-8"]
    assert done[2:5] == ["build_visits 4-4", "build_visits 5-8", "stitch_visits 1-8"]
    split = ["4-4", "8-8"]  # only 4 reads day 2 but not 1
    assert done[5:] == [f"{name} {days}" for name in ("split_visit_days", "split_open_visit_days") for days in split]


def test_days_of_a_failed_run_are_made_good_by_the_next_one(world):
    """Touched, then failed: nobody asks for them again, yet the tables must not stay half done."""
    run(world, daily.PIPELINE, march(1, 7))
    world.tables["events"][4] += 1
    world.record(CUT, march(2, 6), status="failed")
    assert {world.book.state(CUT, march(day)) for day in range(2, 7)} == {State.MISSING}
    assert run(world, daily.PIPELINE, march(8))[0] == "cut_visits 2-6"
    assert not any(world.book.due(job) for job in daily.PIPELINE.jobs)


def test_days_may_run_in_any_order(world):
    """3, 1, 2: the days that ran before what they stand on are brought up to date by the runs that follow."""
    run(world, daily.PIPELINE, march(3))
    run(world, daily.PIPELINE, march(1))
    run(world, daily.PIPELINE, march(2))
    ordered = World({"events": dict(world.tables["events"])})
    for day in (1, 2, 3):
        run(ordered, daily.PIPELINE, march(day))
    assert world.tables == ordered.tables
    assert not any(world.book.due(job) for job in daily.PIPELINE.jobs)


def test_days_of_a_monthly_pipeline_run_when_they_are_not_current(world):
    run(world, daily.PIPELINE, march(1, 6))
    pipeline = Pipeline(name="p", summary="", grain="month", jobs=(CUT, summarise_months.JOB))
    assert run(world, pipeline, march(1, 31)) == ["cut_visits 7-31", "summarise_months 1-31"]
    world.catalogue.hash = "other rules"
    assert run(world, pipeline, march(1, 31))[0] == "cut_visits 1-31"


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (["ok"], State.COMPLETE),
        (["ok", "failed"], State.MISSING),
        (["failed", "ok"], State.COMPLETE),
        ([], State.MISSING),
    ],
)
def test_the_last_run_counts(world, statuses, state):
    for status in statuses:
        world.record(CUT, march(4), status=status)
    assert world.book.state(CUT, march(4)) == state
    assert world.book.is_current(CUT, march(4)) == (state == State.COMPLETE)


def test_files_of_another_program_count_by_their_path(world):
    inputs = Inputs(lambda _: [DataFile("part-0.parquet", 1, 1, date(2026, 3, 4))])
    other = Inputs(lambda _: [DataFile("part-1.parquet", 1, 1, date(2026, 3, 4))])
    assert inputs.hash(CUT, march(4)) != other.hash(CUT, march(4))


def test_ranges_join_neighbours():
    days = [march(1), march(2), march(4)]
    assert ranges(CUT, days) == "2026-03-01..2026-03-02, 2026-03-04"
    months = [Span.month_of(date(2026, month, 1)) for month in (1, 2)]
    assert ranges(summarise_months.JOB, months) == "2026-01, 2026-02"


def test_a_job_of_many_months_runs_once_for_months_without_a_gap():
    january, february, april = (Span.month_of(date(2026, month, 1)) for month in (1, 2, 4))
    months = [april, february, january]
    assert next_run(build_churn_features.JOB, months) == Span(january.start, february.end)
    assert next_run(summarise_months.JOB, months) == january


def test_what_was_scored_is_not_due_again_when_an_input_changes():
    ran = SimpleNamespace(job="score_churn", status="ok", input_hashes={"2026-03-01": "as it was"})
    changed = SimpleNamespace(hash=lambda job, period: "as it is")
    book = Book([ran], changed, catalogue_hash="")
    assert book.periods(score_churn.JOB) == [march(1, 31)]
    assert book.due(score_churn.JOB) == set()
    assert book.due(replace(score_churn.JOB, tracked=False)) == {march(1, 31)}
