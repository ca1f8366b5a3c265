"""What goes wrong on the way to the feed, at the stated rates and with a label on each row."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tests.unit.simulation.worlds import within
from visitgrain.simulation.delivery import DEFECTS, GOOD, LABELS, OUT_OF_ORDER, to_deliveries
from visitgrain.simulation.world import load_world
from visitgrain.span import Span

DIRT = load_world().dirt


@pytest.fixture(scope="module")
def deliveries(busy_feed):
    """All that is ever delivered of the events of the busy feed, also after its end."""
    part = busy_feed.part(0)
    visits, events = part.walked
    later = Span(busy_feed.span.start, busy_feed.span.end + timedelta(days=30))
    return to_deliveries(events, visits, dirt=DIRT, clock=part.clock, span=later), len(events)


@pytest.mark.parametrize("name", ["duplicate", "conflicting", "malformed", "late", "too_late", "out_of_order"])
def test_dirty_rows_come_at_the_stated_rates(deliveries, name):
    rows, events = deliveries
    label = np.array([label.split(":")[0] for label in LABELS])[rows.label]
    assert within((label == name).sum() / events, getattr(DIRT, name), events)
    assert len(rows) == events + np.isin(label, ("duplicate", "conflicting", "malformed")).sum()


def test_each_label_tells_what_is_wrong_with_its_row(busy):
    """The labels find the dirty rows, all of them, and no others."""
    joined = "events e join true_events t on t.event_id = e.event_id and t.received_time = e.received_time"
    twice = "select event_id from events group by 1 having count(*) > 1"
    labelled = "select event_id from true_events where label in ('duplicate', 'conflicting')"
    # A copy whose first delivery lies in the span is found by its id; a good row delivered after the end is not there.
    assert set(busy.rows(twice)) <= set(busy.rows(labelled))
    delay = f"select min(delay), max(delay) from (select e.received_time - e.event_time delay, label from {joined})"
    delay += " where label = "
    (shortest, longest), (too_short, _) = busy.rows(delay + "'late'")[0], busy.rows(delay + "'too_late'")[0]
    assert shortest.days >= 1
    assert longest.days < 3 <= too_short.days
    broken = """
        event_time is null or year(event_time) not between 2000 and 2030 or received_time is null
        or device_id is null or channel is null or channel = 'ap' or event_type = 'unknown' or business = 'brodband'
    """
    malformed = "select event_id from true_events where label like 'malformed:%'"
    assert set(busy.rows(f"select event_id from events where {broken}")) == set(busy.rows(malformed))
    reasons = "select count(distinct label) from true_events where label like 'malformed:%'"
    assert busy.value(reasons) == len(DEFECTS)


def test_only_labelled_events_arrive_out_of_order(deliveries, busy_feed):
    """Within a visit the collector gets events in their order, but for those that it gets behind all others."""
    rows, _ = deliveries
    rows = rows.take(np.flatnonzero(np.isin(rows.label, (GOOD, OUT_OF_ORDER))))
    events = busy_feed.part(0).walked[1].take(rows.event)
    order = np.lexsort((events.step, events.visit))
    visit, received, label = events.visit[order], rows.received_us[order], rows.label[order]
    good = label == GOOD
    same_visit = np.diff(visit[good]) == 0
    assert (np.diff(received[good])[same_visit] > 0).all()
    last_good = np.zeros(visit.max() + 1, np.int64)
    np.maximum.at(last_good, visit[good], received[good])
    assert (~good).sum() > 400
    assert (received[~good] > last_good[visit[~good]]).mean() > 0.99  # a visit with a pause can last for two hours


def test_most_visits_are_sent_within_a_second_and_a_few_after_hours(deliveries, busy_feed):
    """Delay = 0.2 s + 6 h x u^24. Under a second: u < (0.8 / 21600)^(1/24) = 0.6535; over an hour: u > (1/6)^(1/24)."""
    rows, _ = deliveries
    rows = rows.take(np.flatnonzero(rows.label == GOOD))
    _, events = busy_feed.part(0).walked
    visit, first = np.unique(events.visit[rows.event], return_index=True)
    delay_s = (rows.received_us - events.event_us[rows.event])[first] / 1e6
    assert within((delay_s < 1).mean(), 0.6535, len(visit))
    assert within((delay_s > 3600).mean(), 1 - (1 / 6) ** (1 / 24), len(visit))
    assert delay_s.max() < 6 * 3600 + 1


def test_conflicting_copies_differ_and_lose(busy):
    pairs = busy.rows("""
        select a.duration_ms, b.duration_ms
        from true_events t join events b using (event_id) join events a using (event_id)
        where t.label = 'conflicting' and b.received_time = t.received_time and a.received_time < b.received_time
    """)
    assert len(pairs) > 20
    assert all(loser == (winner or 0) + 1 for winner, loser in pairs)


def test_rows_are_delivered_on_the_day_they_are_received_and_duplicates_also_a_day_after(busy):
    strays = """
        select delivered - received_time::date as days, count(*), count(*) filter (label = 'duplicate')
        from events left join true_events t using (event_id, received_time)
        where received_time is not null and (t.day is null or t.day = delivered) group by 1 order by 1
    """
    (same, _, _), (next_day, strayed, duplicates) = busy.rows(strays)
    assert (same, next_day) == (0, 1)
    assert strayed == duplicates > 100
