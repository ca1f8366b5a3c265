"""Feeds in any split and order, some of it twice, days run as they come: the tables of one delivery and one run.

Each lake holds 20 feeds that have nothing in common, each split in a way of its own: 20 examples for the price of one.
"""

from __future__ import annotations

import shutil
from datetime import date
from random import Random

import pytest

from pipelines import daily
from tests.conftest import PROPERTY_SCALE
from tests.jobs.ingest_world import deliver, event, shop_context
from tests.jobs.split_world import SPAN, contents, feed, split
from visitgrain.runtime.planning import State
from visitgrain.runtime.runner import run_pipeline
from visitgrain.span import Span
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.visiting import DEVICE_VISITS, VISIT_DAYS, VISITS
from visitgrain.visits import device_visits, history

FEEDS = range(20)
LAKES = range(2 * PROPERTY_SCALE)


@pytest.fixture(scope="module")
def expected(spark, tmp_path_factory):
    """The tables of one delivery and one run, and the folder of their key of pseudonyms."""
    folder = tmp_path_factory.mktemp("whole")
    whole = shop_context(spark, folder)
    deliver(whole, folder / "in", {"events/e.csv": [line for seed in FEEDS for line in feed(seed)]})
    run_pipeline(daily.PIPELINE, SPAN, whole)
    found = contents(whole)
    assert all(sum(day.rows for day in days.values()) for name, days in found.items() if name != "quarantined_visits")
    return found, folder / "secrets"


@pytest.mark.parametrize("number", LAKES)
def test_d01_any_split_gives_the_tables_of_one_run(spark, tmp_path, monkeypatch, expected, number):
    random = Random(number)
    batches = random.randint(3, 4) if number < 2 else random.randint(1, 20)
    # Many tasks or few; spread over buckets of some events, or all in one.
    spark_before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", str([2, 7, 1, 200][number % 4]))
    monkeypatch.setattr(device_visits, "EVENTS_PER_TASK", [1_000_000, 150][number % 2])
    monkeypatch.setattr(history, "VISITS_PER_TASK", [2_000_000, 60][number % 2])
    tables, key = expected
    shutil.copytree(key, tmp_path / "secrets")
    made = shop_context(spark, tmp_path)
    splits = [split(feed(seed), random, batches) for seed in FEEDS]
    days = random.sample(list(SPAN.days()), 4)
    try:
        for batch in range(batches):
            lines = [line for of_feed in splits for line in of_feed[batch]]
            deliver(made, tmp_path / f"in{batch}", {"events/e.csv": random.sample(lines, len(lines))})
            run_pipeline(daily.PIPELINE, Span(days[batch % 4], days[batch % 4]), made)
        for day in days[batches:]:
            run_pipeline(daily.PIPELINE, Span(day, day), made)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", spark_before)
    assert contents(made) == tables
    book = made.book
    assert {book.state(job, period) for job in daily.PIPELINE.jobs for period in book.periods(job)} == {State.COMPLETE}


def test_one_late_event_changes_its_days_only(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    deliver(made, tmp_path / "in", {"events/e.csv": feed(1)})
    run_pipeline(daily.PIPELINE, SPAN, made)
    before = contents(made)
    [late] = [event("new", "2026-03-03 12:00:00", received="2026-03-04 12:00:00", device="nobody else's")]
    deliver(made, tmp_path / "late", {"events/e.csv": [late]})
    third = date(2026, 3, 3)
    entries = run_pipeline(daily.PIPELINE, Span(third, third), made)
    after = contents(made)
    changed = {(name, day) for name in after for day in after[name] if after[name][day] != before[name].get(day)}
    assert changed == {(table.name, third) for table in (EVENTS, DEVICE_VISITS, VISITS, VISIT_DAYS)}
    # and in that day one visit more, nothing else: contents are sums over rows
    more = {name: after[name][third].rows - before[name][third].rows for name, _ in changed}
    assert more == dict.fromkeys(more, 1)
    # Of four days of events one is cut again: that of the device that came.
    [cut] = [entry for entry in entries if entry.job == "cut_visits"]
    assert cut.outcomes == {"kept": 1, "untouched": sum(day.rows for day in before[EVENTS.name].values())}
