"""build_visits: whose visits they are, from files to files; the rules themselves are in tests/spec/test_identity.py."""

from __future__ import annotations

from datetime import date

import pytest

from jobs import build_visits, stitch_visits
from jobs.unstitch_visits import unstitch
from tests.jobs.runtime_world import context
from tests.jobs.test_visit_history import MARCH, visits_of
from visitgrain.errors import InputMissing
from visitgrain.runtime.context import Context
from visitgrain.runtime.planning import State
from visitgrain.runtime.runner import run_job
from visitgrain.span import Span
from visitgrain.tables.inputs import NUMBERS
from visitgrain.tables.visiting import VISITS

COLUMNS = ("visit_date", "subscriber_id", "stitch_method", "login_event_id", "is_first_visit", "visits_30d")
# Events are e0, e1, … in this order.
ROWS = """
-  phone 2026-03-01 23:50
-  phone 2026-03-02 00:10
-  phone 2026-03-10 09:00
7  phone 2026-03-20 09:00
-  kiosk 2026-03-05 10:00
8  kiosk 2026-03-06 10:00
"""
STITCHED = [
    # The visit over midnight and the next one wait for 7. What a login claims is no visit's history, never the first.
    (date(2026, 3, 1), 7, "next_login", "e3", False, 1),
    (date(2026, 3, 5), 8, "next_login", "e5", False, 1),
    (date(2026, 3, 6), 8, "every_event", "e5", True, 1),
    (date(2026, 3, 10), 7, "next_login", "e3", False, 1),
    (date(2026, 3, 20), 7, "every_event", "e3", True, 1),
]


@pytest.fixture(scope="module")
def world(spark, tmp_path_factory) -> Context:
    """A lake with the visits of `ROWS`."""
    made = context(spark, tmp_path_factory.mktemp("identity") / "lake")
    visits_of(made, ROWS)
    return made


def found(world: Context) -> list[tuple]:
    return sorted(tuple(row) for row in world.lake.read(VISITS).select(*COLUMNS).collect())


def run_both(world: Context) -> None:
    for job in (build_visits.JOB, stitch_visits.JOB):
        run_job(job, MARCH, world)


def test_anonymous_visits_belong_to_the_next_login(world):
    assert found(world) == STITCHED
    [rule] = world.lake.read(VISITS).select("stitch_rule").distinct().collect()
    assert rule[0] == "time_sliced/1"


def test_days_run_one_by_one_backwards_give_the_same(spark, world, tmp_path):
    other = context(spark, tmp_path / "lake")
    visits_of(other, ROWS, Span(date(2026, 3, 20), date(2026, 3, 20)))
    days = [date(2026, 3, day) for day in (10, 6, 5, 1)]
    for day in days:
        visits_of(other, "", Span(day, day))
    for job in (build_visits.JOB, stitch_visits.JOB):  # what a pipeline does by itself: bring the touched up to date
        for day in sorted(other.book.due(job)):
            run_job(job, day, other)
    assert found(other) == STITCHED


def test_a_number_becomes_its_holder_and_a_stitch_is_taken_back(world):
    """In this order: the second part starts from what the first one left."""
    held = {"number_id": 8, "source": "crm", "load_id": "crm-1", "household_id": None, "number": None}
    years = [(date(2020, 1, 1), date(2026, 3, 6), 801), (date(2026, 3, 6), None, 802)]
    rows = [{**held, "valid_from": a, "valid_to": b, "subscriber_id": who} for a, b, who in years]
    world.lake.append(NUMBERS, rows, run_id="crm")
    assert world.book.state(build_visits.JOB, Span(date(2026, 3, 5), date(2026, 3, 5))) == State.TOUCHED
    run_both(world)
    of_number = [row for row in found(world) if row[0].day in (5, 6)]
    assert [row[1] for row in of_number] == [802, 802]  # who holds the number at the login, on 6 March

    with pytest.raises(InputMissing, match="no visit is stitched by the login 'e9'"):
        unstitch(world, login_event_id="e9", reason="typed wrong")
    for _ in range(2):
        back = unstitch(world, login_event_id="e3", reason="sold phone")
        assert (back.visits, back.first, back.last) == (2, date(2026, 3, 1), date(2026, 3, 10))
    assert world.book.state(stitch_visits.JOB, Span(date(2026, 3, 1), date(2026, 3, 1))) == State.TOUCHED
    run_both(world)
    of_phone = [row for row in found(world) if row[0].day in (1, 10, 20)]
    assert of_phone == [
        (date(2026, 3, 1), None, None, None, True, 1),
        (date(2026, 3, 10), None, None, None, False, 2),  # of the device
        (date(2026, 3, 20), 7, "every_event", "e3", True, 1),
    ]


def test_a_login_says_when_it_was(world):
    named = world.lake.read(VISITS).where("stitch_method = 'every_event'")
    assert [tuple(row) for row in named.selectExpr("login_time = start").collect()] == [(True,), (True,)]
