"""When subscribers come and go: rhythm, seasons, silence, releases, bots, hunters of coupons."""

from __future__ import annotations

from datetime import date
from math import sqrt

import numpy as np
import pytest

from tests.unit.simulation.worlds import END, START, feed_of, within
from visitgrain.simulation.days import month_number, number_of
from visitgrain.simulation.occasions import day_script_weights, to_occasions
from visitgrain.simulation.scripts import Kinds
from visitgrain.simulation.subscribers import NEVER, silence_hazard, to_subscribers
from visitgrain.simulation.world import load_world
from visitgrain.span import Span

WORLD = load_world()
MANY = np.arange(60_000)
MARCH = int(month_number(number_of(date(2025, 3, 1))))


@pytest.fixture(scope="module")
def people():
    """60,000 subscribers of the shipped world, one month."""
    return to_subscribers(MANY, world=WORLD, span=Span(date(2025, 3, 1), date(2025, 3, 31)), seed=5)


def test_wednesday_and_mornings_are_strongest(busy):
    launched = "from events where event_type = 'launch' group by 1 order by count(*) desc limit 1"
    assert busy.value(f"select isodow(event_time) {launched}") == 3
    assert busy.value(f"select hour(event_time) {launched}") in (8, 9, 10, 11)


def test_seasons_change_how_many_come_and_what_for(people):
    """The national day has fewer visits, month starts have more of them and more top-ups."""
    span = Span(date(2025, 9, 29), date(2025, 10, 19))
    people = to_subscribers(MANY, world=WORLD, span=span, seed=5)
    kinds = Kinds(WORLD)
    occasions = to_occasions(people, world=WORLD, kinds=kinds, span=span)
    days = np.arange(number_of(span.start), number_of(span.end) + 1)
    visits = occasions.take(np.flatnonzero(occasions.kind < kinds.push))
    counts = np.bincount(visits.day - days[0], minlength=len(days))
    weekdays = np.array(WORLD.rhythm.weekdays)[np.arange(len(days)) % 7]  # the span starts on a Monday
    season = np.ones(len(days))
    season[2:9], season[2:5] = 0.75, 0.75 * 1.1  # national day 1-7 October; month start 1-3 October
    per_factor = counts / (weekdays * season)
    usual = per_factor[10:].mean()
    for day, count, rate in zip(days, counts, per_factor, strict=True):
        # Few subscribers join or fall silent within three weeks; heavy users are cut at six visits a day.
        assert abs(rate - usual) < 4 * usual / sqrt(count) + 0.01 * usual, day
    weights = day_script_weights(WORLD, days)
    top_up = kinds.names.index("top_up")
    for place in (0, 2, 20):  # 29 September, 1 October (month start), 19 October
        today = visits.take(np.flatnonzero((visits.day == days[place]) & ~people.is_hunter[visits.subscriber]))
        share = weights[place, top_up] / weights[place].sum()
        assert within((today.kind == top_up).mean(), share, len(today))
    assert weights[2, top_up] == 2.5 * weights[20, top_up]


def test_silence_strikes_with_its_hazard_and_each_driver_adds_to_it(people):
    hazard = silence_hazard(WORLD, vars(people), MARCH)
    at_risk = ~people.hands_over & (people.activation <= number_of(date(2025, 3, 31)))
    strikes = people.silent_month == MARCH
    near = np.abs(month_number(people.contract_end) - MARCH) <= 1
    drivers = [people.data_use > 1, people.sticky_services == 0, near, ~near]
    for group in (at_risk, *(at_risk & driver for driver in drivers)):
        expected = hazard[group].sum()
        assert abs(strikes[group].sum() - expected) < 4 * sqrt((hazard * (1 - hazard))[group].sum())
    # The base alone: -4.2 -> 1 / (1 + e^4.2) = 0.01477; a contract that ends adds 1.4.
    nothing = at_risk & ~near & (people.data_use <= 1) & (people.sticky_services > 0)
    settled = nothing & (number_of(date(2025, 3, 1)) - people.activation >= 180)
    assert hazard[settled] == pytest.approx(0.01477, abs=1e-5)
    assert hazard[at_risk & near].mean() > 2.5 * hazard[at_risk & ~near].mean()


def test_part_of_the_silent_leave_in_the_month_after(people):
    silent = people.take(np.flatnonzero(people.silent_month == MARCH))
    leaves = silent.left_on != NEVER
    assert within(leaves.mean(), WORLD.silence.leaves_share, len(silent))
    assert set(month_number(silent.left_on[leaves])) == {MARCH + 1}


def test_the_silent_do_not_come_back(busy):
    after = """
        select count(*) from events e join true_subscribers s using (subscriber_id)
        where e.event_time::date > s.silent_from + 1 and e.event_time < '2026-01-01'
    """
    assert busy.value("select count(*) from true_hazards where is_silent") > 10
    assert busy.value(after) == 0


def test_hazards_tell_what_struck(busy):
    told = "select count(*) from true_hazards where is_silent <> (silent_from is not null)"
    assert busy.value(told) == 0
    differs = "true_hazards h join true_subscribers s using (subscriber_id) where h.silent_from <> s.silent_from"
    assert busy.value(f"select count(*) from {differs}") == 0


def test_a_broken_release_crashes_until_it_is_fixed():
    feed = feed_of(6000, start=date(2025, 2, 15), end=date(2025, 3, 15), world=WORLD)
    crashes, visits = np.zeros((4, 29)), np.zeros((4, 29))
    for number in range(feed.parts):
        part = feed.part(number)
        walked, events = part.walked
        steps = part.kinds.steps.take(events.step)
        assert set(walked.kind[walked.crashes] < part.kinds.push) == {True}
        crash_step = (steps.prop == part.kinds.text("kind")) & (steps.value_low == part.kinds.text("crash"))
        ends = np.unique(events.visit[crash_step])
        assert set(np.flatnonzero(walked.crashes)) <= set(ends)  # each crash is told
        days = walked.day - number_of(date(2025, 2, 15))
        known = (walked.version >= 0) & (walked.kind < part.kinds.push) & (days < 29) & (walked.campaign < 0)
        np.add.at(visits, (walked.version[known], days[known]), 1)
        np.add.at(crashes, (walked.version[known], days[known]), walked.crashes[known])
    broken = next(n for n, release in enumerate(WORLD.releases) if release.version == "8.2.0")
    since = slice(5, 5 + WORLD.releases[broken].crash_days)  # 20 February and the days after
    n = visits[broken, since].sum()
    assert n > 200
    assert within(crashes[broken, since].sum() / n, WORLD.releases[broken].crash_share, n)
    assert crashes.sum() == crashes[broken, since].sum()


def test_bots_read_faster_than_anyone_and_are_labelled(busy):
    per_minute = """
        select max(n) from (select count(*) n from events where props['user_agent'] is %s null
        and year(event_time) = 2025 group by device_id, date_trunc('minute', event_time))
    """
    assert busy.value(per_minute % "not") > 120 > busy.value(per_minute % "")
    by_bots = "select count(*) from events e join true_events t using (event_id) where t.is_bot"
    named = f"{by_bots} and e.props['user_agent'] is null"
    assert busy.value(by_bots) > 1000
    assert busy.value(named) == 0


def test_coupon_hunters_redeem_nearly_every_coupon_and_buy_nothing(busy, busy_feed):
    rates = """
        select s.is_coupon_hunter,
               count(*) filter (event_type = 'coupon_redeem') / count(*) filter (event_type = 'page_view') as per_visit
        from events e join true_subscribers s using (subscriber_id) where page = 'benefits' group by 1 order by 1
    """
    others, hunters = busy.rows(rates)
    assert others[1] < 0.2 < 0.9 < hunters[1]
    bought = "select count(*) from orders join true_subscribers using (subscriber_id) where is_coupon_hunter"
    assert busy.value(bought) == 0
    share, n = busy_feed.world.coupon_hunters.share, busy.value("select count(*) from true_subscribers")
    assert within(busy.value("select avg(is_coupon_hunter::int) from true_subscribers"), share, n)


def test_visits_cross_midnight_and_all_kinds_of_events_occur(busy):
    over_midnight = """
        select count(*) from (select event_time t, lag(event_time) over (partition by device_id order by event_time) b
        from events where year(event_time) = 2025) where t::date > b::date and t - b < interval 5 minute
    """
    assert busy.value(over_midnight) > 0
    types = {row[0] for row in busy.rows("select distinct event_type from events")}
    assert {"login", "logout", "push_receive", "push_open", "share_visit", "topup", "coupon_redeem", "error"} <= types
    assert busy.rows("select min(delivered), max(delivered), count(distinct delivered) from events") == [
        (START, END, 28)
    ]
