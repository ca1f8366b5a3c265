"""A simulated feed with dirty rows, run day by day as it arrives: the tables and metrics of one run over all of it."""

from __future__ import annotations

import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.admit_late import admit
from jobs.ingest_source import ingest
from pipelines import daily, daily_metrics, monthly, monthly_metrics
from tests.conftest import PROPERTY_SCALE
from tests.jobs import split_world
from tests.jobs.runtime_world import context
from visitgrain.runtime.content import Content
from visitgrain.runtime.context import Context
from visitgrain.runtime.runner import run_pipeline
from visitgrain.simulation import simulate
from visitgrain.simulation.world import load_world
from visitgrain.span import Span

DAYS = 3 if PROPERTY_SCALE == 1 else 30
SPAN = Span(date(2025, 4, 1), date(2025, 4, 1) + timedelta(days=DAYS - 1))
LATE_SHARES = {"duplicate": 0.05, "conflicting": 0.03, "malformed": 0.05, "late": 0.1, "too_late": 0.03}
OF_DAYS, OF_THE_MONTH = (daily.PIPELINE, daily_metrics.PIPELINE), (monthly.PIPELINE, monthly_metrics.PIPELINE)
COMPUTED = {table for pipeline in (*OF_DAYS, *OF_THE_MONTH) for job in pipeline.jobs for table in job.writes}


@pytest.fixture(scope="module")
def feed(spark, tmp_path_factory):
    """Few subscribers, many dirty rows."""
    world = load_world()
    world = world.model_copy(update={"dirt": world.dirt.model_copy(update=LATE_SHARES)})
    folder = tmp_path_factory.mktemp("feed") / "out"
    simulate(spark, subscribers=150, start=SPAN.start, end=SPAN.end, seed=3, out=folder, world=world)
    return folder


def delivered_on(file: Path) -> date:
    """Days as they come, the snapshot with the last of them, what has neither with the first."""
    found = re.search(r"/(day|month)=([\d-]+)/", str(file))
    if found is None:
        return SPAN.start
    return SPAN.end if found[1] == "month" else date.fromisoformat(found[2])


def delivery(feed: Path, day: date, target: Path) -> Path:
    for file in feed.rglob("*.parquet"):
        if delivered_on(file) == day:
            copy = target / file.relative_to(feed)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    return target


def run(made: Context, span: Span) -> None:
    for pipeline in OF_DAYS:
        run_pipeline(pipeline, span, made)


def contents(made: Context) -> dict[str, dict[date, Content]]:
    return split_world.contents(made, {*split_world.TABLES, *COMPUTED})


def test_daily_increments_with_dirty_rows_equal_one_full_run(spark, feed, tmp_path):
    whole, by_day = (context(spark, tmp_path / name) for name in ("whole", "by_day"))
    whole.allowed_rules = by_day.allowed_rules = frozenset({"events.quarantine"})  # so many dirty rows block a day
    ingest(whole, source="canonical", path=feed)
    run(whole, SPAN)
    for day in SPAN.days():
        ingest(by_day, source="canonical", path=delivery(feed, day, tmp_path / "arrived" / str(day)))
        run(by_day, Span(day, day))
    for made in (whole, by_day):
        for pipeline in OF_THE_MONTH:
            run_pipeline(pipeline, Span.month_of(SPAN.start), made)
    expected = contents(whole)
    assert contents(by_day) == expected
    held = {name: sum(day.rows for day in days.values()) for name, days in expected.items()}
    assert held["conflicting_events"] > 0  # or the days had nothing to be wrong about
    assert held["population_metrics"] > 157 * DAYS
    if DAYS < 30:
        return
    assert held["late_events"] > 5
    for made in (whole, by_day):
        assert admit(made) == held["late_events"]
        run(made, Span(SPAN.end, SPAN.end))
    assert contents(by_day) == contents(whole) != expected
