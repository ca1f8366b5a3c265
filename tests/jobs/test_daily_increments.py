"""A simulated feed with dirty rows, run day by day as it arrives: the tables of one run over all of it."""

from __future__ import annotations

import shutil
from datetime import date, timedelta

import pytest

from jobs.admit_late import admit
from jobs.ingest_source import ingest
from pipelines import daily
from tests.conftest import PROPERTY_SCALE
from tests.jobs.runtime_world import context
from tests.jobs.split_world import contents
from visitgrain.runtime.runner import run_pipeline
from visitgrain.simulation import simulate
from visitgrain.simulation.world import load_world
from visitgrain.span import Span

DAYS = 4 if PROPERTY_SCALE == 1 else 30
SPAN = Span(date(2025, 3, 1), date(2025, 3, 1) + timedelta(days=DAYS - 1))


@pytest.fixture(scope="module")
def feed(spark, tmp_path_factory):
    """Few subscribers, many dirty rows."""
    world = load_world()
    shares = {"duplicate": 0.05, "conflicting": 0.03, "malformed": 0.05, "late": 0.1, "too_late": 0.03}
    world = world.model_copy(update={"dirt": world.dirt.model_copy(update=shares)})
    folder = tmp_path_factory.mktemp("feed") / "out"
    simulate(spark, subscribers=150, start=SPAN.start, end=SPAN.end, seed=3, out=folder, world=world)
    return folder


def test_daily_increments_with_dirty_rows_equal_one_full_run(spark, feed, tmp_path):
    whole, by_day = (context(spark, tmp_path / name) for name in ("whole", "by_day"))
    ingest(whole, source="canonical", path=feed)
    run_pipeline(daily.PIPELINE, SPAN, whole)
    for day in SPAN.days():
        arrived = tmp_path / "arrived" / str(day)
        shutil.copytree(feed / "events" / f"day={day}", arrived / "events" / f"day={day}")
        if day == SPAN.start:
            shutil.copytree(feed / "numbers", arrived / "numbers")
        ingest(by_day, source="canonical", path=arrived)
        run_pipeline(daily.PIPELINE, Span(day, day), by_day)
    expected = contents(whole)
    assert contents(by_day) == expected
    held = {name: sum(day.rows for day in days.values()) for name, days in expected.items()}
    assert held["conflicting_events"] > 0  # or the days had nothing to be wrong about
    if DAYS < 30:
        return
    assert held["late_events"] > 5
    for made in (whole, by_day):
        assert admit(made) == held["late_events"]
        run_pipeline(daily.PIPELINE, Span(SPAN.end, SPAN.end), made)
    assert contents(by_day) == contents(whole) != expected
