"""Who follows what somebody shared: later members of the sharer's circle visit through the link."""

from __future__ import annotations

import numpy as np

from visitgrain.simulation.chance import draw, poisson, uniform
from visitgrain.simulation.days import HOUR, SECOND, LocalClock
from visitgrain.simulation.events import Events
from visitgrain.simulation.occasions import Occasions, occasions_of, with_scripts
from visitgrain.simulation.scripts import Kinds
from visitgrain.simulation.subscribers import Subscribers
from visitgrain.simulation.visits import Visits
from visitgrain.simulation.world import World
from visitgrain.tables.vocabulary import ENTRY_SOURCES, EVENT_TYPES

FOLLOWERS_MOST = 8


def to_share_occasions(
    events: Events, visits: Visits, people: Subscribers, *, world: World, kinds: Kinds, clock: LocalClock, last: int
) -> Occasions:
    """One row per visit that follows a share event, on the days up to `last`.

    `people` are neighbours without a gap. Followers come after the sharer in the circle, so that a larger world, with
    more subscribers behind, leaves the visits of all others as they are. Who does not use the e-channel or has fallen
    silent does not follow.
    """
    shares = events.take(np.flatnonzero(kinds.steps.event_type[events.step] == EVENT_TYPES.index("share")))
    followers = poisson(uniform(shares.key, "followers"), world.sharing.visits_per_share, most=FOLLOWERS_MOST)
    share = np.repeat(np.arange(len(shares)), followers)
    number = np.arange(len(share)) - np.repeat(np.cumsum(followers) - followers, followers)
    key = draw(shares.key[share], "follower", number)
    sharer = visits.subscriber[shares.visit[share]]
    behind = world.sharing.circle - 1 - people.index[sharer] % world.sharing.circle
    follower = sharer + 1 + (uniform(key, "who") * behind).astype(np.int64)
    delay = uniform(key, "when") ** 2 * world.sharing.within_hours * HOUR
    begins = shares.event_us[share] + SECOND + delay.astype(np.int64)
    day = clock.day_of(begins)
    there = (behind > 0) & (follower < len(people)) & (day <= last)
    row = np.where(there, follower, 0)
    there &= people.uses_e_channel[row] & ~people.is_hunter[row] & people.in_life(row, day)
    occasions = occasions_of(
        row,
        key,
        day,
        second=(begins - clock.begin(day)) // SECOND,
        source=ENTRY_SOURCES.index("share"),
        sharer=sharer,
    ).take(np.flatnonzero(there))
    if not len(occasions):
        return occasions
    return with_scripts(
        occasions, people, world=world, kinds=kinds, days=np.arange(occasions.day.min(), occasions.day.max() + 1)
    )
