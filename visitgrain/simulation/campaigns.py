"""Campaigns with control arms: audience, exposure, orders of the product, and the true uplift of each subscriber."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.simulation.behaviour import TRAITS
from visitgrain.simulation.chance import choose_code, draw, happens, uniform
from visitgrain.simulation.columns import NONE, Columns, coded, conformed, dates, hex_of, instants
from visitgrain.simulation.days import SECOND, LocalClock, date_of, month_begins
from visitgrain.simulation.occasions import Occasions, occasions_of
from visitgrain.simulation.orders import Orders, opening_second
from visitgrain.simulation.scripts import Kinds
from visitgrain.simulation.subscribers import Subscribers
from visitgrain.simulation.world import World
from visitgrain.tables.inputs import CAMPAIGN_AUDIENCES, CAMPAIGN_EXPOSURES
from visitgrain.tables.vocabulary import ENTRY_SOURCES, ORDER_CHANNELS

ARMS = ("control", "treatment")
OVER_QUOTA, SENIOR, YOUNG, OTHER = range(len(TRAITS))


@dataclass(frozen=True)
class Selected(Columns):
    """One row per campaign and selected subscriber. The probabilities are 0 for who is silent before the order."""

    subscriber: np.ndarray  # row of `Subscribers`
    key: np.ndarray
    campaign: np.ndarray
    day: np.ndarray  # of the draw and of the exposure
    group: np.ndarray  # place in TRAITS
    treatment: np.ndarray  # probability of that arm
    is_treated: np.ndarray
    reached_share: np.ndarray
    is_exposed: np.ndarray
    exposed_second: np.ndarray  # of the day
    order_probability: np.ndarray  # without an exposure
    uplift: np.ndarray  # what an exposure adds
    orders_unexposed: np.ndarray  # whether the subscriber orders if not exposed
    orders_exposed: np.ndarray
    order_day: np.ndarray

    @property
    def orders(self) -> np.ndarray:
        return np.where(self.is_exposed, self.orders_exposed, self.orders_unexposed)


def to_selected(people: Subscribers, *, world: World, month: int) -> Selected:
    """The audiences of the campaigns of `month`, with what comes of them either way."""
    return Selected.joined([_selected(people, number, world, month) for number in range(len(world.campaigns))])


def traits_of(people: Subscribers, year: int) -> np.ndarray:
    """Group of each subscriber: the first of TRAITS that holds."""
    age = year - people.birth_year
    return np.select([people.data_use > 1, age >= 60, age < 30], [OVER_QUOTA, SENIOR, YOUNG], OTHER)


def to_occasions(selected: Selected, people: Subscribers, *, world: World, kinds: Kinds) -> Occasions:
    """Receipts of pushes, and the visits in which users of the e-channel order."""
    in_app = np.array([campaign.channel == "app" for campaign in world.campaigns.values()])
    scripts = np.array([kinds.names.index(campaign.script) for campaign in world.campaigns.values()])
    sources = np.array([ENTRY_SOURCES.index("push" if pushes else "sms") for pushes in in_app])
    pushed = selected.take(np.flatnonzero(selected.is_exposed & in_app[selected.campaign]))
    buyers = selected.take(np.flatnonzero(selected.orders & people.uses_e_channel[selected.subscriber]))
    return Occasions.joined(
        [
            occasions_of(
                pushed.subscriber,
                draw(pushed.key, "receipt"),
                pushed.day,
                kind=kinds.push,
                second=pushed.exposed_second,
                campaign=pushed.campaign,
            ),
            occasions_of(
                buyers.subscriber,
                draw(buyers.key, "order"),
                buyers.order_day,
                kind=scripts[buyers.campaign],
                offer=_offers(world)[buyers.campaign],
                source=np.where(buyers.is_exposed, sources[buyers.campaign], ENTRY_SOURCES.index("direct")),
                campaign=buyers.campaign,
            ),
        ]
    )


def to_offline_orders(selected: Selected, people: Subscribers, *, world: World, clock: LocalClock) -> Orders:
    """Orders of those who do not use the e-channel."""
    buyers = selected.take(np.flatnonzero(selected.orders & ~people.uses_e_channel[selected.subscriber]))
    return Orders(
        prefix=np.full(len(buyers), "o"),
        key=draw(buyers.key, "order"),
        subscriber=buyers.subscriber,
        order_us=clock.begin(buyers.order_day) + opening_second(draw(buyers.key, "order")) * SECOND,
        offer=_offers(world)[buyers.campaign],
        channel=choose_code(uniform(buyers.key, "channel"), world.offline_channels, ORDER_CHANNELS),
        failed=np.zeros(len(buyers), bool),
        campaign=np.where(buyers.is_exposed, buyers.campaign, NONE),
    )


def to_audience_rows(selected: Selected, people: Subscribers, *, ids: list[str]) -> pa.Table:
    """`campaign_audiences`: the arm of each selected subscriber and the probability with which it was drawn."""
    columns = {
        "campaign_id": coded(selected.campaign, ids),
        "subscriber_id": people.subscriber_id[selected.subscriber],
        "arm": coded(selected.is_treated.astype(np.int64), ARMS),
        "propensity": np.where(selected.is_treated, selected.treatment, 1 - selected.treatment),
        "assigned_date": dates(selected.day),
    }
    return conformed(columns, CAMPAIGN_AUDIENCES)


def to_exposure_rows(
    selected: Selected, people: Subscribers, *, world: World, ids: list[str], clock: LocalClock
) -> pa.Table:
    """`campaign_exposures`: those of the treatment arm who were reached, with the probability of just that."""
    exposed = selected.take(np.flatnonzero(selected.is_exposed))
    campaigns = list(world.campaigns.values())
    channels = np.array([ORDER_CHANNELS.index(campaign.channel) for campaign in campaigns])
    columns = {
        "exposure_id": pc.binary_join_element_wise("x", hex_of(draw(exposed.key, "exposure")), ""),
        "campaign_id": coded(exposed.campaign, ids),
        "subscriber_id": people.subscriber_id[exposed.subscriber],
        "exposure_time": instants(clock.begin(exposed.day) + exposed.exposed_second * SECOND),
        "touchpoint_id": coded(exposed.campaign, [campaign.touchpoint for campaign in campaigns]),
        "channel": coded(channels[exposed.campaign], ORDER_CHANNELS),
        "propensity": exposed.treatment * exposed.reached_share,
    }
    return conformed(columns, CAMPAIGN_EXPOSURES)


def to_uplifts(selected: Selected, people: Subscribers, *, ids: list[str]) -> pa.Table:
    """Truth: what an exposure changes for each selected subscriber, in probability and in fact."""
    columns = {
        "campaign_id": coded(selected.campaign, ids),
        "subscriber_id": people.subscriber_id[selected.subscriber],
        "assigned_date": dates(selected.day),
        "trait": coded(selected.group, TRAITS),
        "order_probability": selected.order_probability,
        "uplift": selected.uplift,
        "reached_share": selected.reached_share,
        "orders_unexposed": selected.orders_unexposed,
        "orders_exposed": selected.orders_exposed,
    }
    return pa.table(columns)


def _selected(people: Subscribers, number: int, world: World, month: int) -> Selected:
    """Audience of one campaign: in life, willing to be addressed, and chosen by chance."""
    name, campaign = list(world.campaigns.items())[number]
    day = int(month_begins(month)) + campaign.day - 1
    key = draw(people.person, f"campaign {name}", month)
    there = (people.activation <= day) & (day < people.silent_from) & people.consents & ~people.dnd
    if campaign.channel == "app":
        there &= people.uses_e_channel
    at = np.flatnonzero(there & happens(key, "audience", campaign.audience_share))
    key, rows = key[at], len(at)
    group = traits_of(people, date_of(day).year)[at]
    groups = [campaign.groups[trait] for trait in TRAITS]
    treatment = np.array([g.treatment for g in groups])[group]
    is_treated = happens(key, "arm", treatment)
    order_day = day + 1 + (uniform(key, "order day") * (campaign.window_days - 1)).astype(np.int64)
    # Who is silent by then orders neither way, and hunters of coupons never do.
    can_order = (order_day < people.silent_from[at]) & ~people.is_hunter[at]
    probability = np.array([g.orders for g in groups])[group] * can_order
    uplift = np.array([g.uplift for g in groups])[group] * can_order
    # One draw decides both answers: whom the campaign moves is the same subscriber in both worlds.
    answer = uniform(key, "answer")
    return Selected(
        subscriber=at,
        key=key,
        campaign=np.full(rows, number),
        day=np.full(rows, day),
        group=group,
        treatment=treatment,
        is_treated=is_treated,
        reached_share=np.full(rows, campaign.reached_share),
        is_exposed=is_treated & happens(key, "reached", campaign.reached_share),
        exposed_second=opening_second(draw(key, "exposed")),
        order_probability=probability,
        uplift=uplift,
        orders_unexposed=answer < probability,
        orders_exposed=answer < probability + uplift,
        order_day=order_day,
    )


def _offers(world: World) -> np.ndarray:
    """Offer of each campaign."""
    return np.array([world.offered_products.index(campaign.product) for campaign in world.campaigns.values()])
