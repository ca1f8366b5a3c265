"""Events beyond the late horizon: apart, counted, the same in any order of arrival, admitted by command."""

from __future__ import annotations

from itertools import permutations

import pytest
from pyspark.sql import functions as F

from jobs.admit_late import admit
from tests.jobs.ingest_world import deliver, event, shop_context
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import CONFLICTING_EVENTS, LATE_EVENTS

# The horizon is 3 days: an event of 1 March 10:00 is on time until 4 March 10:00.
ON_TIME = event("edge", "2026-03-01 10:00:00", received="2026-03-04 10:00:00")
LATE = event("late", "2026-03-01 10:00:00", received="2026-03-04 10:00:01")
RECEIVED_AGAIN = event("edge", "2026-03-01 10:00:00", received="2026-03-09 10:00:00")  # the same, sent once more
# Of `twice` the row that was received first wins, and it is late; the other one claims a later time of its own.
FIRST = event("twice", "2026-03-01 10:00:00", received="2026-03-05 10:00:00", page="/first")
SECOND = event("twice", "2026-03-05 09:00:00", received="2026-03-05 11:00:00", page="/second")
ROWS = [ON_TIME, LATE, RECEIVED_AGAIN, FIRST, SECOND]


def ids(made, table) -> list[tuple]:
    frame = made.lake.read(table, optional=True)
    received = F.date_format("received_time", "dd HH:mm:ss")
    return sorted(tuple(row) for row in frame.select("event_id", received).collect())


def test_d04_the_horizon_is_inclusive(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    [table] = deliver(made, tmp_path / "in", {"events/e.csv": [ON_TIME, LATE]}).tables
    assert table.outcomes == {"kept": 1, "late": 1}
    assert (ids(made, EVENTS), ids(made, LATE_EVENTS)) == ([("edge", "04 10:00:00")], [("late", "04 10:00:01")])


@pytest.mark.parametrize("order", [*permutations(range(5))][::70], ids=str)
def test_d04_what_is_late_does_not_depend_on_the_order_of_arrival(spark, tmp_path, order):
    made = shop_context(spark, tmp_path)
    counted = 0
    for place in order:
        [table] = deliver(made, tmp_path / str(place), {"events/e.csv": [ROWS[place]]}).tables
        counted += table.rows_read
    assert counted == 5
    assert ids(made, EVENTS) == [("edge", "04 10:00:00")]
    assert ids(made, LATE_EVENTS) == [("late", "04 10:00:01"), ("twice", "05 10:00:00")]
    [lost] = made.lake.read(CONFLICTING_EVENTS).collect()
    assert (lost.event_id, '"page":"/second"' in lost.payload) == ("twice", True)


def test_admitted_events_are_events_and_stay_it(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    other_day = event("other", "2026-02-10 10:00:00", received="2026-03-01 10:00:00")
    deliver(made, tmp_path / "in", {"events/e.csv": [ON_TIME, LATE, other_day]})
    march = made.lake.read(LATE_EVENTS).where("event_id = 'late'").first().event_date
    assert admit(made, first=march, last=march) == 1
    assert ids(made, LATE_EVENTS) == [("other", "01 10:00:00")]
    admitted = [("edge", "04 10:00:00"), ("late", "04 10:00:01")]
    assert ids(made, EVENTS) == admitted
    # Sent again, one later and one even before: neither goes back to the late ones.
    again = [
        event("late", "2026-03-01 10:00:00", received="2026-03-08 10:00:00"),
        event("late", "2026-03-01 10:00:00", received="2026-03-04 10:00:00.5"),
    ]
    deliver(made, tmp_path / "again", {"events/e.csv": again})
    assert ids(made, EVENTS) == [("edge", "04 10:00:00"), ("late", "04 10:00:00")]
    assert admit(made) == 1
    assert (ids(made, LATE_EVENTS), len(ids(made, EVENTS))) == ([], 3)
    assert admit(made) == 0


def test_events_that_were_admitted_before_a_crash_are_not_doubled(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    deliver(made, tmp_path / "in", {"events/e.csv": [LATE]})
    made.lake.append(EVENTS, made.lake.read(LATE_EVENTS), run_id="killed before it took them away")
    assert admit(made) == 0
    assert (ids(made, EVENTS), ids(made, LATE_EVENTS)) == ([("late", "04 10:00:01")], [])
