"""Who comes on which day, and what for: the occasions that become visits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from visitgrain.simulation.chance import choose, draw, happens, poisson, uniform
from visitgrain.simulation.columns import NONE, Columns
from visitgrain.simulation.days import factors, number_of
from visitgrain.simulation.scripts import Kinds, script_weights
from visitgrain.simulation.subscribers import Subscribers
from visitgrain.simulation.world import World
from visitgrain.span import Span


@dataclass(frozen=True)
class Occasions(Columns):
    """One row per visit, push receipt or bot run to be. NONE = left to chance."""

    subscriber: np.ndarray  # row of `Subscribers`
    key: np.ndarray  # of all draws about the visit (not the suite's visit id)
    day: np.ndarray
    kind: np.ndarray
    offer: np.ndarray
    second: np.ndarray  # of the day, at which it begins
    source: np.ndarray
    sharer: np.ndarray  # row of `Subscribers`
    campaign: np.ndarray


def occasions_of(subscriber: np.ndarray, key: np.ndarray, day: np.ndarray, **given: np.ndarray | int) -> Occasions:
    """Occasions with what is `given`, all else left to chance."""
    optional = ("kind", "offer", "second", "source", "sharer", "campaign")
    columns = {name: np.broadcast_to(given.get(name, NONE), len(day)).astype(np.int64) for name in optional}
    return Occasions(subscriber=subscriber, key=key, day=day, **columns)


def to_occasions(people: Subscribers, *, world: World, kinds: Kinds, span: Span) -> Occasions:
    """What subscribers do of their own accord within `span`, receipts in the background and bots included."""
    days = np.arange(number_of(span.start), number_of(span.end) + 1)
    at = np.flatnonzero(people.uses_e_channel | people.has_bot)
    present = people.take(at)
    today = draw(present.person[:, None], "day", days[None, :])
    alive = (present.activation[:, None] <= days) & (days < present.silent_from[:, None])
    users = alive & present.uses_e_channel[:, None]
    rates = present.visit_rate[:, None] * day_factors(world, days)[None, :]
    visits = np.where(users, poisson(uniform(today, "visits"), rates, most=world.population.visits_per_day_most), 0)
    pushed = users & happens(today, "push", world.population.pushes_per_day)
    runs = alive & present.has_bot[:, None] & happens(today, "bot", world.population.bot_day_share)

    def occasions(counts: np.ndarray, name: str, kind: int) -> Occasions:
        who, when = np.nonzero(counts)
        n = counts[who, when].astype(np.int64)
        who, when = np.repeat(who, n), np.repeat(when, n)
        number = np.arange(len(who)) - np.repeat(np.cumsum(n) - n, n)
        return occasions_of(at[who], draw(today[who, when], name, number), days[when], kind=kind)

    own = with_scripts(occasions(visits, "visit", NONE), people, world=world, kinds=kinds, days=days)
    return Occasions.joined([own, occasions(pushed, "receipt", kinds.push), occasions(runs, "run", kinds.bot)])


def with_scripts(
    occasions: Occasions, people: Subscribers, *, world: World, kinds: Kinds, days: np.ndarray
) -> Occasions:
    """The script that each runs through, by the season of its day; `days` are all days that occur."""
    weights = np.cumsum(day_script_weights(world, days), axis=1)
    reached = (weights / weights[:, -1:])[occasions.day - days[0]]
    drawn = (uniform(occasions.key, "kind")[:, None] >= reached[:, :-1]).sum(axis=1)
    hunting = kinds.names.index(world.coupon_hunters.script)
    kind = np.where(people.is_hunter[occasions.subscriber], hunting, drawn)
    return replace(occasions, kind=kind)


def with_offers(occasions: Occasions, *, world: World, kinds: Kinds) -> Occasions:
    """What each is about, where that is open."""
    offer = occasions.offer.copy()
    for kind, script in enumerate(world.scripts.values()):
        rows = np.flatnonzero((occasions.kind == kind) & (offer == NONE))
        if len(rows):
            offer[rows] = choose(uniform(occasions.key[rows], "offer"), world.offer_weights(script))
    return replace(occasions, offer=np.maximum(offer, 0))  # push and bot are about nothing


def day_factors(world: World, days: np.ndarray) -> np.ndarray:
    """How many visits a day has by its weekday and season; 1 = as many as usual."""
    weekdays = np.array(world.rhythm.weekdays) * 7 / sum(world.rhythm.weekdays)
    seasons = [(season.first, season.last, season.visits) for season in world.seasons.values()]
    return weekdays[(days + 3) % 7] * factors(seasons, days)  # 1 January 1970 was a Thursday


def day_script_weights(world: World, days: np.ndarray) -> np.ndarray:
    """Weight of each script per day."""
    columns = []
    for name, weight in zip(world.scripts, script_weights(world), strict=True):
        seasons = [(season.first, season.last, season.scripts.get(name, 1.0)) for season in world.seasons.values()]
        columns.append(weight * factors(seasons, days))
    return np.column_stack(columns)
