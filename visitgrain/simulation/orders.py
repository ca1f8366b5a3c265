"""Orders: those of the e-channel as the events tell them, and those of outlet, hotline and SMS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.simulation.chance import between, choose_code, draw, happens, uniform
from visitgrain.simulation.columns import NONE, Columns, coded, conformed, hex_of, instants
from visitgrain.simulation.days import HOUR, SECOND, LocalClock, month_begins, month_ends, monthly_ids
from visitgrain.simulation.events import Events
from visitgrain.simulation.scripts import Kinds
from visitgrain.simulation.subscribers import Subscribers
from visitgrain.simulation.visits import CAMPAIGN_SOURCES, Visits
from visitgrain.simulation.world import World
from visitgrain.tables.inputs import ORDERS
from visitgrain.tables.vocabulary import BUSINESSES, EVENT_TYPES, ORDER_CHANNELS, ORDER_STATUSES

PAID, FAILED = EVENT_TYPES.index("order_paid"), EVENT_TYPES.index("order_failed")
CANCELLED = ORDER_STATUSES.index("cancelled")
OPENING_HOUR, CLOSING_HOUR = 9, 20


@dataclass(frozen=True)
class Orders(Columns):
    """One row per order."""

    prefix: np.ndarray  # e = e-channel, o = others: both count their own keys
    key: np.ndarray
    subscriber: np.ndarray  # row of `Subscribers`
    order_us: np.ndarray
    offer: np.ndarray
    channel: np.ndarray  # place in ORDER_CHANNELS
    failed: np.ndarray
    campaign: np.ndarray  # it is attributed to


def to_e_channel_orders(events: Events, visits: Visits, *, kinds: Kinds) -> Orders:
    """One row per paid or failed order event: same instant, same amount."""
    type_ = kinds.steps.event_type[events.step]
    at = np.flatnonzero((type_ == PAID) | (type_ == FAILED))
    visit = events.visit[at]
    exposed = np.isin(visits.source[visit], CAMPAIGN_SOURCES)
    return Orders(
        prefix=np.full(len(at), "e"),
        key=draw(visits.key[visit], "process"),
        subscriber=visits.subscriber[visit],
        order_us=events.event_us[at],
        offer=events.offer[at],
        channel=visits.channel[visit],
        failed=type_[at] == FAILED,
        campaign=np.where(exposed, visits.campaign[visit], NONE),
    )


def to_offline_orders(people: Subscribers, *, world: World, month: int, clock: LocalClock) -> Orders:
    """At most one row per subscriber of the month: an order at an outlet, by hotline or SMS."""
    first = np.maximum(month_begins(month), people.activation)
    key = draw(people.person, "offline", month)
    buys = happens(key, "buys", world.offline_orders_per_month) & ~people.is_hunter
    at = np.flatnonzero(buys & (first <= month_ends(month)) & (people.silent_from > month_ends(month)))
    key, first = key[at], first[at]
    day = first + (uniform(key, "day") * (month_ends(month) - first + 1)).astype(np.int64)
    sold = np.array([n for n, (_, product) in enumerate(world.offers) if product and not product.campaign_only])
    return Orders(
        prefix=np.full(len(at), "o"),
        key=key,
        subscriber=at,
        order_us=clock.begin(day) + opening_second(key) * SECOND,
        offer=sold[between(uniform(key, "product"), 0, len(sold) - 1)],
        channel=choose_code(uniform(key, "channel"), world.offline_channels, ORDER_CHANNELS),
        failed=np.zeros(len(at), bool),
        campaign=np.full(len(at), NONE),
    )


def opening_second(keys: np.ndarray) -> np.ndarray:
    """A second of the day in opening hours."""
    return between(uniform(keys, "opening"), OPENING_HOUR * 3600, CLOSING_HOUR * 3600 - 1)


def to_order_rows(orders: Orders, people: Subscribers, *, world: World, month: int) -> pa.Table:
    """`orders`, one row per order."""
    paid = choose_code(uniform(orders.key, "status"), world.paid_statuses, ORDER_STATUSES)
    status = np.where(orders.failed, ORDER_STATUSES.index("failed"), paid)
    cancelled_us = orders.order_us + between(uniform(orders.key, "cancel"), 1, 72) * HOUR
    offers = world.offers
    business = np.array([BUSINESSES.index(business) for business, _ in offers])
    prices = np.array([product.price_fen if product else 0 for _, product in offers])
    columns = {
        "order_id": pc.binary_join_element_wise(pa.array(orders.prefix), hex_of(orders.key), ""),
        "subscriber_id": people.subscriber_id[orders.subscriber],
        "order_time": instants(orders.order_us),
        "product_id": coded(orders.offer, world.offered_products),
        "business": coded(business[orders.offer], BUSINESSES),
        "channel": coded(orders.channel, ORDER_CHANNELS),
        "amount_fen": pa.array(prices[orders.offer], mask=orders.failed),
        "status": coded(status, ORDER_STATUSES),
        "cancel_time": instants(cancelled_us, status == CANCELLED),
        "campaign_id": coded(orders.campaign, monthly_ids(world.campaigns, month)),
    }
    return conformed(columns, ORDERS)
