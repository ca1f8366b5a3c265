"""The rows of one part of a feed: a block of subscribers in one calendar month. No part needs another one's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from visitgrain.simulation import campaigns
from visitgrain.simulation.billing import to_hazards, to_snapshots
from visitgrain.simulation.days import LocalClock, month_number, monthly_ids, number_of
from visitgrain.simulation.delivery import to_deliveries
from visitgrain.simulation.event_rows import to_event_rows, to_true_events
from visitgrain.simulation.events import Events, to_events
from visitgrain.simulation.identities import to_number_rows, to_true_subscribers
from visitgrain.simulation.occasions import Occasions, to_occasions, with_offers
from visitgrain.simulation.orders import Orders, to_e_channel_orders, to_offline_orders, to_order_rows
from visitgrain.simulation.scripts import Kinds
from visitgrain.simulation.sharing import to_share_occasions
from visitgrain.simulation.subscribers import Subscribers, to_subscribers
from visitgrain.simulation.told import Told
from visitgrain.simulation.visits import Visits, to_visits
from visitgrain.simulation.world import World
from visitgrain.span import Span

BLOCK = 16_384  # subscribers; whole circles, families and pairs lie in one block
SPILL_DAYS = 90  # what begins in a month ends and is delivered within so many days after it


class Rows(NamedTuple):
    """Rows of one table; `place` is its folder in the feed. `day` of delivery per row, where there is one each day."""

    place: str
    table: pa.Table
    day: np.ndarray | None = None


@dataclass(frozen=True)
class Feed:
    """A whole feed: its parts are numbered month by month within each block."""

    subscribers: int
    span: Span
    seed: int
    zone: str
    world: World
    block: int = BLOCK

    @cached_property
    def months(self) -> list[Span]:
        return list(self.span.months())

    @property
    def parts(self) -> int:
        return -(-self.subscribers // self.block) * len(self.months)

    def part(self, number: int) -> Part:
        block, month = divmod(number, len(self.months))
        return Part(self, block, self.months[month])


@dataclass(frozen=True)
class Part:
    """A block of subscribers in one month. Everything is computed from the arguments of `feed`."""

    feed: Feed
    block: int
    month_span: Span

    @property
    def name(self) -> str:
        return f"block-{self.block:06d}-{self.month_span.month:%Y%m}"

    def tables(self) -> Iterator[Rows]:
        """All rows of the part. What would be delivered after the span of the feed is not there yet."""
        world, month, people = self.feed.world, self.month, self.people
        yield Rows(f"subscriber_month/month={self.month_span.month}", to_snapshots(people, world=world, month=month))
        yield Rows("_truth/hazards", to_hazards(people, world=world, month=month))
        if self.month_span == self.feed.months[0]:
            yield Rows("numbers", to_number_rows(people, world=world, span=self.feed.span))
            yield Rows("_truth/subscribers", to_true_subscribers(people, span=self.feed.span))
        yield from self._campaign_rows()
        yield self._order_rows()
        told = self.told
        yield Rows("_truth/events", to_true_events(told))
        yield Rows("events", to_event_rows(told), told.rows.day)

    @cached_property
    def month(self) -> int:
        return int(month_number(number_of(self.month_span.start)))

    @cached_property
    def people(self) -> Subscribers:
        first = self.block * self.feed.block
        indexes = np.arange(first, min(first + self.feed.block, self.feed.subscribers))
        return to_subscribers(indexes, world=self.feed.world, span=self.feed.span, seed=self.feed.seed)

    @cached_property
    def kinds(self) -> Kinds:
        return Kinds(self.feed.world)

    @cached_property
    def clock(self) -> LocalClock:
        first, last = number_of(self.month_span.start), number_of(self.month_span.end)
        return LocalClock(first - 1, last + SPILL_DAYS, self.feed.zone)

    @cached_property
    def selected(self) -> campaigns.Selected:
        """Audiences whose draw lies in the span."""
        selected = campaigns.to_selected(self.people, world=self.feed.world, month=self.month)
        return selected.take(np.flatnonzero(self._in_span(selected.day)))

    def _visits_of(self, occasions: Occasions) -> Visits:
        offered = with_offers(occasions, world=self.feed.world, kinds=self.kinds)
        return to_visits(
            offered, self.people, world=self.feed.world, kinds=self.kinds, clock=self.clock, seed=self.feed.seed
        )

    def _in_span(self, days: np.ndarray) -> np.ndarray:
        return (days >= number_of(self.feed.span.start)) & (days <= number_of(self.feed.span.end))

    @cached_property
    def walked(self) -> tuple[Visits, Events]:
        """Visits of their own accord, those that campaigns bring, those that follow a share; and what happens there."""
        world, kinds, people = self.feed.world, self.kinds, self.people
        days = Span(max(self.month_span.start, self.feed.span.start), min(self.month_span.end, self.feed.span.end))
        own = to_occasions(people, world=world, kinds=kinds, span=days)
        brought = campaigns.to_occasions(self.selected, people, world=world, kinds=kinds)
        visits = self._visits_of(Occasions.joined([own, brought]))
        events = to_events(visits, kinds=kinds)
        following = self._visits_of(
            to_share_occasions(
                events, visits, people, world=world, kinds=kinds, clock=self.clock, last=number_of(self.feed.span.end)
            )
        )
        followed = to_events(following, kinds=kinds).moved(len(visits))
        return Visits.joined([visits, following]), Events.joined([events, followed])

    @cached_property
    def told(self) -> Told:
        """What the feed delivers of it."""
        visits, events = self.walked
        rows = to_deliveries(events, visits, dirt=self.feed.world.dirt, clock=self.clock, span=self.feed.span)
        return Told(rows, events, visits, self.people, self.kinds, self.month)

    def _order_rows(self) -> Rows:
        visits, events = self.walked
        world, clock = self.feed.world, self.clock
        orders = Orders.joined(
            [
                to_e_channel_orders(events, visits, kinds=self.kinds),
                to_offline_orders(self.people, world=world, month=self.month, clock=clock),
                campaigns.to_offline_orders(self.selected, self.people, world=world, clock=clock),
            ]
        )
        day = clock.day_of(orders.order_us)
        at = np.flatnonzero(self._in_span(day))
        rows = to_order_rows(orders.take(at), self.people, world=world, month=self.month)
        return Rows("orders", rows, day[at])

    def _campaign_rows(self) -> Iterator[Rows]:
        selected, people = self.selected, self.people
        ids = monthly_ids(self.feed.world.campaigns, self.month)
        exposures = campaigns.to_exposure_rows(selected, people, world=self.feed.world, ids=ids, clock=self.clock)
        yield Rows("campaign_audiences", campaigns.to_audience_rows(selected, people, ids=ids), selected.day)
        yield Rows("campaign_exposures", exposures, selected.day[selected.is_exposed])
        yield Rows("_truth/uplifts", campaigns.to_uplifts(selected, people, ids=ids))
