"""Campaigns: arms as drawn, control without exposure, and the planted uplift per trait found again in the orders."""

from __future__ import annotations

from datetime import date
from math import sqrt

import pytest

from tests.unit.simulation.worlds import Lens, feed_of, tables_of, within
from visitgrain.simulation.world import load_world

WORLD = load_world()
CAMPAIGNS = [
    (name, trait, group, campaign)
    for name, campaign in WORLD.campaigns.items()
    for trait, group in campaign.groups.items()
]


@pytest.fixture(scope="module")
def march():
    """The campaigns of March among 40,000 subscribers, without the visits they do of their own accord."""
    world = WORLD.model_copy(
        update={"population": WORLD.population.model_copy(update={"visits_per_month": 0.01, "pushes_per_day": 0.0})}
    )
    return Lens(tables_of(feed_of(40_000, start=date(2025, 3, 1), end=date(2025, 3, 31), world=world)))


@pytest.fixture(scope="module")
def answers(march) -> dict[tuple[str, str, str], dict[str, float]]:
    """By campaign, trait and arm: how many, how many exposed, how many ordered, mean order probability and uplift."""
    query = """
        with ordered as (select distinct subscriber_id, product_id from orders)
        select a.campaign_id, u.trait, a.arm, count(*) n, count(x.exposure_id) exposed, count(o.subscriber_id) ordered,
               avg(u.order_probability) base, avg(u.uplift) uplift, avg(u.reached_share) reached,
               min(a.propensity) low, max(a.propensity) high, min(x.propensity) exposure_low,
               max(x.propensity) exposure_high
        from campaign_audiences a join true_uplifts u using (campaign_id, subscriber_id)
        left join campaign_exposures x using (campaign_id, subscriber_id)
        left join ordered o on o.subscriber_id = a.subscriber_id
          and o.product_id = if(a.campaign_id like 'night_pack%', 'data_night', 'plan_upgrade')
        group by 1, 2, 3
    """
    found = march.engine.execute(query)
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {(row["campaign_id"].removesuffix("_202503"), row["trait"], row["arm"]): row for row in rows}


@pytest.mark.parametrize(("name", "trait", "group", "campaign"), CAMPAIGNS, ids=lambda value: str(value)[:12])
def test_arms_and_exposures_come_with_their_propensities(answers, name, trait, group, campaign):
    treated, control = (answers[name, trait, arm] for arm in ("treatment", "control"))
    n = treated["n"] + control["n"]
    assert within(treated["n"] / n, group.treatment, n)
    assert (treated["low"], treated["high"]) == (group.treatment, group.treatment)
    assert control["low"] == control["high"] == pytest.approx(1 - group.treatment)
    assert control["exposed"] == 0
    assert within(treated["exposed"] / treated["n"], campaign.reached_share, treated["n"])
    assert (
        treated["exposure_low"] == treated["exposure_high"] == pytest.approx(group.treatment * campaign.reached_share)
    )


@pytest.mark.parametrize(("name", "trait", "group", "campaign"), CAMPAIGNS, ids=lambda value: str(value)[:12])
def test_the_difference_between_the_arms_is_the_planted_uplift(answers, name, trait, group, campaign):
    """Among all treated, reached or not: uplift x reached share, less what silence takes from both arms."""
    rates, variance = {}, 0.0
    for arm in ("treatment", "control"):
        found = answers[name, trait, arm]
        reached = found["reached"] if arm == "treatment" else 0.0
        planted = found["base"] + reached * found["uplift"]
        rates[arm] = found["ordered"] / found["n"]
        variance += planted * (1 - planted) / found["n"]
        assert within(rates[arm], planted, found["n"]), arm
        assert planted == pytest.approx(group.orders + reached * group.uplift, rel=0.05)
    difference = rates["treatment"] - rates["control"]
    assert abs(difference - group.uplift * campaign.reached_share) < 4 * sqrt(variance) + 0.002


def test_some_are_moved_and_some_are_disturbed(answers):
    moved = (
        answers["night_pack", "over_quota", "treatment"]["ordered"]
        / answers["night_pack", "over_quota", "treatment"]["n"]
    )
    unmoved = (
        answers["night_pack", "over_quota", "control"]["ordered"] / answers["night_pack", "over_quota", "control"]["n"]
    )
    assert moved > unmoved + 0.04
    disturbed, calm = (answers["night_pack", "senior", arm] for arm in ("treatment", "control"))
    assert disturbed["ordered"] / disturbed["n"] < calm["ordered"] / calm["n"]


def test_the_true_answers_are_those_of_the_feed(march):
    """Each selected subscriber orders exactly if the truth for what happened, exposure or none, says so."""
    wrong = """
        select count(*) from true_uplifts u
        left join campaign_exposures x using (campaign_id, subscriber_id)
        left join (select distinct subscriber_id, product_id from orders where status <> 'failed') o
          on o.subscriber_id = u.subscriber_id
          and o.product_id = if(u.campaign_id like 'night%', 'data_night', 'plan_upgrade')
        where (o.subscriber_id is not null) <> if(x.exposure_id is null, u.orders_unexposed, u.orders_exposed)
    """
    assert march.value("select count(*) from true_uplifts where orders_exposed <> orders_unexposed") > 100
    assert march.value(wrong) == 0


def test_only_who_consents_is_addressed(march):
    addressed = "campaign_audiences join subscriber_month using (subscriber_id)"
    assert march.rows(f"select distinct consent, dnd from {addressed}") == [(True, False)]
    assert march.value("select count(*) from subscriber_month where consent is null") > 0


def test_orders_follow_their_exposure_within_the_window(march):
    behind = """
        select min(o.order_time - x.exposure_time), max(date_diff('day', x.exposure_time, o.order_time))
        from orders o join campaign_exposures x using (campaign_id, subscriber_id)
    """
    [(shortest, longest)] = march.rows(behind)
    assert shortest.total_seconds() > 0
    assert longest <= max(campaign.window_days for campaign in WORLD.campaigns.values())
    unexposed = """
        select count(*) from orders o left join campaign_exposures x using (campaign_id, subscriber_id)
        where o.campaign_id is not null and x.exposure_id is null
    """
    assert march.value(unexposed) == 0


def test_pushes_are_received_when_they_were_sent(march):
    received = """
        select count(*), count(x.exposure_id) from events e
        left join campaign_exposures x using (campaign_id, subscriber_id)
        where e.event_type = 'push_receive' and e.campaign_id like 'night_pack%' and e.subscriber_id is not null
          and (e.event_time is null or year(e.event_time) <> 2025
               or e.event_time - x.exposure_time between interval 0 second and interval 5 second)
    """
    [(told, sent)] = march.rows(received)
    assert told == sent > 1000
