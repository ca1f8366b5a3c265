"""What visits do: funnel, placements, orders, shares."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest

from tests.unit.simulation.worlds import within
from visitgrain.simulation.world import load_world
from visitgrain.tables.vocabulary import EVENT_TYPES

WORLD = load_world()


def test_the_second_form_step_is_the_weak_one(busy):
    """Of orders of which all rows are delivered; those of campaigns go through every step and are left out."""
    processes = """
        (select process_id, list(coalesce(step_no, 0)) steps, list(event_type) types from events
         where process_id is not null and event_time between '2025-03-03' and '2025-03-19'
           and product_id not in ('data_night', 'plan_upgrade') group by 1)
    """
    reached = [
        busy.value(f"select count(*) from {processes} where {reached}")
        for reached in (
            "contains(steps, 1)",
            "contains(steps, 2)",
            "contains(steps, 3)",
            "contains(types, 'order_submit')",
        )
    ]
    kept = [later / earlier for earlier, later in pairwise(reached)]
    for share, planted, n in zip(kept, (0.45, 0.85, 0.9), reached, strict=False):
        assert within(share, planted, n)


def test_clicks_are_examination_times_attraction(busy):
    """By placement, position and product; each product is as likely as the others at each position."""
    shown = """
        select touchpoint_id, product_id, count(*) filter (event_type = 'impression') shown,
               count(*) filter (event_type = 'click') / shown as rate, any_value(props['propensity'])::double propensity
        from (select distinct on (event_id) * from events) where props['position'] is not null
          and event_time between '2025-03-03' and '2025-03-19' group by 1, 2
    """
    totals = dict(busy.rows(f"select touchpoint_id, sum(shown) from ({shown}) group by 1"))
    cells = busy.rows(shown)
    assert len(cells) == sum(len(p.examination) * len(p.attraction) for p in WORLD.placements.values())
    for touchpoint, product, impressions, rate, propensity in cells:
        placement, _, position = touchpoint.rpartition("_")
        placed = WORLD.placements[placement]
        assert within(impressions / totals[touchpoint], propensity, totals[touchpoint])
        planted = placed.examination[int(position) - 1] * placed.attraction[product]
        assert abs(rate - planted) <= 4 * sqrt(planted / impressions) + 1 / impressions  # one click of a late row more


def test_a_visit_runs_through_its_steps_in_order(busy_feed):
    """Also where slots are shown at once and clicked: no click before the impression, none behind the next step."""
    visits, events = busy_feed.part(0).walked
    order = np.lexsort((events.step, events.visit))
    same_visit = np.diff(events.visit[order]) == 0
    assert (np.diff(events.event_us[order])[same_visit] > 0).all()
    assert len(np.unique(events.key)) == len(events)
    assert len(np.unique(visits.key)) == len(visits)


def test_paid_orders_agree_with_their_events(busy):
    seen = """
        select distinct 'e' || process_id, event_time, amount_fen, product_id from events
        where event_type = 'order_paid' and year(event_time) = 2025 and business <> 'brodband'
    """
    told = "select order_id, order_time, amount_fen, product_id from orders where channel in ('app', 'web', 'wechat')"
    assert len(busy.rows(seen)) > 500
    assert set(busy.rows(seen)) <= set(busy.rows(told))
    offline = "select distinct channel from orders where channel not in ('app', 'web', 'wechat') order by 1"
    assert busy.rows(offline) == [("hotline",), ("outlet",), ("sms",)]
    assert busy.value("select count(*) - count(distinct order_id) from orders") == 0


def test_who_visits_through_a_link_follows_one_who_shared(busy_feed, busy):
    part = busy_feed.part(0)
    visits, events = part.walked
    is_share = part.kinds.steps.event_type[events.step] == EVENT_TYPES.index("share")
    shared_us = {}
    for who, when in zip(visits.subscriber[events.visit[is_share]], events.event_us[is_share], strict=True):
        shared_us.setdefault(who, []).append(when)
    following = visits.take(np.flatnonzero(visits.sharer >= 0))
    assert len(following) > 300
    within_us = WORLD.sharing.within_hours * 3_600_000_000
    for sharer, follower, start in zip(following.sharer, following.subscriber, following.start_us, strict=True):
        assert sharer < follower
        assert sharer // WORLD.sharing.circle == follower // WORLD.sharing.circle
        assert any(0 < start - when <= within_us + 2_000_000 for when in shared_us[sharer])
    told = "select count(*), count(props['sharer_id']) from events where event_type = 'share_visit'"
    [(opened, named)] = busy.rows(told)
    assert opened == named
    strangers = """select count(*) from events where props['sharer_id'] is not null
                   and props['sharer_id']::bigint not in (select subscriber_id from true_subscribers)"""
    assert busy.value(strangers) == 0


def test_shares_are_followed_as_often_as_planted(busy_feed):
    """Each share invites 1.5 on average; who is no user, silent, or not in this world does not come."""
    part = busy_feed.part(0)
    visits, events = part.walked
    first = visits.sharer[events.visit] < 0  # who followed a share is followed by nobody
    shares = (first & (part.kinds.steps.event_type[events.step] == EVENT_TYPES.index("share"))).sum()
    invited = shares * WORLD.sharing.visits_per_share
    came = (visits.sharer >= 0).sum()
    users = part.people.uses_e_channel.mean()
    assert came < invited * users + 4 * sqrt(invited)
    assert came > 0.7 * invited * users  # the last of a circle invite nobody; some shares fall on the last days


@pytest.mark.parametrize("event_type", ["order_submit", "order_paid", "topup"])
def test_money_is_in_the_events_that_move_it(busy, event_type):
    assert busy.value(f"select count(*) from events where event_type = '{event_type}' and amount_fen is null") == 0
    moving = "('order_submit', 'order_paid', 'topup', 'unknown')"
    assert busy.value(f"select count(*) from events where event_type not in {moving} and amount_fen is not null") == 0
