"""Cases D6, D8 to D11: where visits begin and end, and days that come in any order. No Spark: rules and planner alone.

D1 is tests/jobs/test_any_split.py, D4 tests/jobs/test_late_events.py, D7 tests/jobs/test_host_zones.py; D2, D3 and D5
stand with ingest in this folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import permutations

import pytest

from tests.oracles.coded_events import coded
from tests.oracles.visit_tables import pick, visits_of
from tests.property.memory_lake import CUT, PIPELINE, Lake, two_lakes
from tests.property.test_any_split import CATALOGUE, FIRST, HOUR, MINUTE
from visitgrain.runtime.planning import State
from visitgrain.span import Span
from visitgrain.tables.visiting import DEVICE_VISITS, VISITS

MIDNIGHT = 1_772_323_200_000_000  # 1 March 2026 00:00 UTC
DAY = 24 * HOUR


def day(number: int) -> Span:
    """The n-th of March 2026."""
    at = FIRST + timedelta(days=number - 1)
    return Span(at, at)


def test_d06_visit_over_midnight_belongs_to_its_start_day():
    found = visits_of("t\n3 23:50:00\n4 00:10:00")
    assert pick(found, "visit_date", "events", "duration_s") == [(date(2025, 3, 3), 2, 1200)]
    assert [(d["day"].day, d["events"], d["seconds"]) for d in found[0]["days"]] == [(3, 1, 600), (4, 1, 600)]


def test_d06_visit_over_the_end_of_the_month_belongs_to_the_month_of_its_start():
    rows = "t\n1 07:50:00\n1 08:10:00"  # in UTC 28 February 23:50 and 1 March 00:10
    of_february = visits_of(rows, zone="UTC", first=date(2025, 2, 1), last=date(2025, 2, 28))
    assert pick(of_february, "visit_date", "events") == [(date(2025, 2, 28), 2)]
    assert pick(visits_of(rows, zone="UTC"), "_outcome", "_rows") == [("outside", 2)]  # nothing of it is March's


@pytest.mark.parametrize(
    ("zone", "begins", "expected"),
    [
        # Shanghai 9 March 14:45 is 01:45 in New York, where the clock goes from 01:59:59 to 03:00:00.
        ("America/New_York", "9 14:45:00", (date(2025, 3, 9), 1)),
        # Shanghai 30 March 08:45 is 00:45 in London, where the clock goes from 00:59:59 to 02:00:00.
        ("Europe/London", "30 08:45:00", (date(2025, 3, 30), 0)),
        ("Asia/Shanghai", "9 14:45:00", (date(2025, 3, 9), 14)),  # control: no change of the clock
    ],
)
def test_d06_clock_change_cuts_nothing(zone: str, begins: str, expected: tuple[date, int]):
    day_, hour = begins.split()
    on = f"{day_} {int(hour[:2]) + 1:02d}:10:00"  # 25 minutes later, whatever clocks say
    found = visits_of(f"t\n{begins}\n{on}", zone=zone)
    assert pick(found, "events", "duration_s") == [(2, 1500)]
    assert pick(found, "visit_date", "hour") == [expected]


@pytest.mark.parametrize(
    ("second", "visits"),
    [("3 10:29:59.999", 1), ("3 10:30:00", 1), ("3 10:30:00.000001", 2), ("3 10:30:00.001", 2)],
)
def test_d08_gap_of_exactly_the_timeout_continues_the_visit(second: str, visits: int):
    assert len(visits_of(f"t\n3 10:00:00\n{second}")) == visits


def test_d09_ties_are_ordered_by_counter_then_id():
    rows = ["z|3 10:00:00|-|/null", "b|3 10:00:00|2|/two-b", "a|3 10:00:00|2|/two-a", "c|3 10:00:00|1|/one"]
    for order in permutations(rows):
        [found] = visits_of("\n".join(["event_id | t | seq | page", *order]))
        assert (found["entry_page"], found["exit_page"], found["first_event_id"]) == ("/null", "/two-b", "z")


def stream(times: Iterable[int]) -> list[dict]:
    """Page views of one device at these microseconds since the 1st of March, anonymous but for the last."""
    found = [
        {"stream": 0, "device_id": "d", "channel": "app", "type": "page_view", "t": MIDNIGHT + t, "event_id": f"e{t}"}
        for t in times
    ]
    found[-1]["subscriber_id"] = 7
    return [coded(event) for event in found]


# Visits within and over the midnights of the 1st to the 3rd.
EVENTS = stream([HOUR, DAY - 10 * MINUTE, DAY + 10 * MINUTE, DAY + 5 * HOUR, 2 * DAY - 5 * MINUTE, 2 * DAY + MINUTE])


def rows_of(lake: Lake) -> dict[str, list[dict]]:
    return {
        table.name: sorted(
            (row for rows in lake.places(table).values() for row in rows.to_pylist()),
            key=lambda row: row["visit_id"],
        )
        for table in (DEVICE_VISITS, VISITS)
    }


@pytest.mark.parametrize("order", [*permutations((1, 2, 3))], ids=str)
def test_d10_days_run_out_of_order(order: tuple[int, ...]):
    with two_lakes(CATALOGUE) as (expected, lake):
        expected.ingest(EVENTS)
        expected.run(Span(FIRST, day(3).end))
        lake.ingest(EVENTS)
        for number in order:
            lake.run(day(number))
        assert rows_of(lake) == rows_of(expected)
        assert len(rows_of(lake)["visits"]) == 4
        assert {row["stitch_method"] for row in rows_of(lake)["visits"]} == {"next_login", "same_visit"}


def test_d11_a_missing_day_is_told_and_made_good_when_it_comes():
    late = [event for event in EVENTS if DAY <= event["t"] - MIDNIGHT < 2 * DAY]
    with two_lakes(CATALOGUE) as (expected, lake):
        expected.ingest(EVENTS)
        expected.run(Span(FIRST, day(3).end))
        lake.ingest([event for event in EVENTS if event not in late])
        lake.run(day(1))
        lake.run(day(3))
        assert lake.book.state(CUT, day(2)) == State.MISSING
        assert rows_of(lake) != rows_of(expected)
        lake.ingest(late)
        assert {number: lake.book.state(CUT, day(number)) for number in (1, 2, 3)} == {
            1: State.TOUCHED,  # its last visit goes on
            2: State.MISSING,
            3: State.TOUCHED,
        }
        lake.run(day(2))
        assert rows_of(lake) == rows_of(expected)
        assert all(lake.book.state(job, day(n)) == State.COMPLETE for job in PIPELINE.jobs for n in (1, 2, 3))
