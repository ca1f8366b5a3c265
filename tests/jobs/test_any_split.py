"""A feed in any split and order, some of it twice, days run as they come: the tables of one delivery and one run."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest

from pipelines import daily
from tests.jobs.ingest_world import deliver, event, shop_context
from visitgrain.runtime.content import Content, by_partition
from visitgrain.runtime.planning import State
from visitgrain.runtime.runner import run_pipeline
from visitgrain.span import Span
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import CONFLICTING_EVENTS, LATE_EVENTS
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISIT_DAYS, VISITS

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 4)
TABLES = (EVENTS, LATE_EVENTS, CONFLICTING_EVENTS, DEVICE_VISITS, VISITS, VISIT_DAYS, QUARANTINED_VISITS)


def feed(seed: int) -> list[str]:
    """Some 60 rows of four days: visits round midnight, shared devices; late, repeated and contradicting rows."""
    random = Random(seed)
    rows = []
    for number in range(60):
        day, minute = random.randint(1, 4), random.choice([3, 20, 49, 60, 700, 1400, 1425, 1439])
        time = f"2026-03-{day:02d} {minute // 60:02d}:{minute % 60:02d}:{random.choice(['00', '30'])}"
        delay = random.choice([0, 0, 0, 1, 2, 5])  # days; 5 is beyond the horizon
        received = f"2026-03-{day + delay:02d} 23:59:59"
        who = random.choice(["", "", "13800000001", "13800000002"])
        kind = random.choice(["page_view", "click", "push_receive", "logout"])
        row = {"device": f"d{random.randrange(3)}", "number": who, "kind": kind}
        rows.append(event(f"e{number}", time, received=received, **row))
        if random.random() < 0.2:
            rows.append(event(f"e{number}", time, received=received, **{**row, "page": random.choice(["/", "/other"])}))
    return rows


def contents(made) -> dict[str, dict[date, Content]]:
    """Rows of each day, told by the names of the files."""
    files = {table.name: made.lake.data_files(table) for table in TABLES}
    return {name: by_partition((file.partition, file.content) for file in own) for name, own in files.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_any_split_gives_the_tables_of_one_run(spark, tmp_path, seed):
    rows, random = feed(seed), Random(seed + 100)
    whole = shop_context(spark, tmp_path, lake="whole")
    deliver(whole, tmp_path / "whole", {"events/e.csv": rows})
    run_pipeline(daily.PIPELINE, Span(FIRST, LAST), whole)

    split = shop_context(spark, tmp_path, lake="split")
    shuffled = random.sample(rows, len(rows))
    batches = [shuffled[number::3] for number in range(3)]
    days = random.sample([FIRST + timedelta(days=n) for n in range(4)], 4)
    for number, batch in enumerate([*batches, batches[0]]):  # the first one comes again in the end, in another file
        deliver(split, tmp_path / f"split{number}", {"events/e.csv": random.sample(batch, len(batch))})
        run_pipeline(daily.PIPELINE, Span(days[number], days[number]), split)
    assert contents(split) == contents(whole)
    assert sum(day.rows for day in contents(whole)["late_events"].values()) > 0
    assert sum(day.rows for day in contents(whole)["conflicting_events"].values()) > 0
    book = split.book
    assert {book.state(job, period) for job in daily.PIPELINE.jobs for period in book.periods(job)} == {State.COMPLETE}


def test_one_late_event_changes_its_days_only(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    deliver(made, tmp_path / "in", {"events/e.csv": [row for row in feed(1) if "e7," not in row]})
    run_pipeline(daily.PIPELINE, Span(FIRST, LAST), made)
    before = contents(made)
    [late] = [event("new", "2026-03-03 12:00:00", received="2026-03-04 12:00:00", device="nobody else's")]
    deliver(made, tmp_path / "late", {"events/e.csv": [late]})
    run_pipeline(daily.PIPELINE, Span(LAST, LAST), made)
    after = contents(made)
    changed = {(name, day) for name in after for day in after[name] if after[name][day] != before[name].get(day)}
    third = date(2026, 3, 3)
    assert changed == {(table.name, third) for table in (EVENTS, DEVICE_VISITS, VISITS, VISIT_DAYS)}
