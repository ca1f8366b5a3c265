"""From planned visits to what happens in them: one row per event, before anything goes wrong on the way to the feed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from visitgrain.simulation.chance import draw, uniform
from visitgrain.simulation.columns import NONE, Columns
from visitgrain.simulation.days import SECOND
from visitgrain.simulation.scripts import Kinds, Steps, click_chance
from visitgrain.simulation.visits import ANONYMOUS, LOGIN, Visits
from visitgrain.tables.vocabulary import EVENT_TYPES

PAUSE_FROM = 2  # a pause falls before this beat, wherever the script stands then
LOGIN_STEP, LOGOUT_STEP, CLICK_STEP = (EVENT_TYPES.index(name) for name in ("login", "logout", "click"))


@dataclass(frozen=True)
class Events(Columns):
    """One row per event that happens."""

    visit: np.ndarray  # row of `Visits`
    step: np.ndarray  # row of `Steps`
    key: np.ndarray
    event_us: np.ndarray
    is_anonymous: np.ndarray
    offer: np.ndarray  # what it is about

    def moved(self, visits: int) -> Events:
        """The same events of visits that stand `visits` rows further down."""
        return replace(self, visit=self.visit + visits)


def to_events(visits: Visits, *, kinds: Kinds) -> Events:
    """All events of `visits`, those of one visit in their order."""
    parts = [_events_of(kind, visits, kinds) for kind in range(len(kinds.names))]
    return Events.joined(parts)


def _events_of(kind: int, visits: Visits, kinds: Kinds) -> Events:
    """Events of the visits of one kind: a matrix of visits and steps, in which chance marks what happens."""
    rows = np.flatnonzero(visits.kind == kind)
    own, steps = visits.take(rows), kinds.steps.take(np.arange(len(kinds.steps))[kinds.of(kind)])
    offers = _offers(own, steps, kinds)
    at, position = np.nonzero(_happens(kind, own, steps, kinds, offers))
    beat = steps.beat[position]
    gap = uniform(own.key[at], "gap", np.floor(beat).astype(np.int64))
    seconds = kinds.pace_s[kind] * own.pace[at] * (beat + 0.8 * gap)
    seconds += np.where(beat >= PAUSE_FROM, own.pause_s[at], 0)
    before_login = position < kinds.login_position[kind]
    login = own.login[at]
    return Events(
        visit=rows[at],
        step=kinds.first_step[kind] + position,
        key=draw(own.key[at], "event", position),
        event_us=own.start_us[at] + (seconds * SECOND).astype(np.int64),
        is_anonymous=(login == ANONYMOUS) | ((login == LOGIN) & before_login),
        offer=np.where(steps.placement[position] == NONE, own.offer[at], offers[at, position]),
    )


def _happens(kind: int, own: Visits, steps: Steps, kinds: Kinds, offers: np.ndarray) -> np.ndarray:
    """Visits x steps: whether each step takes place."""
    drawn = uniform(own.key[:, None], "step", steps.draw[None, :])
    kept = (drawn >= steps.low) & (drawn < steps.high)
    _mark_clicks(kept, own, steps, kinds, offers)
    kept &= np.logical_and.accumulate(kept | ~steps.is_gate, axis=1)  # behind a gate that is shut nothing happens
    is_login = steps.event_type == LOGIN_STEP
    kept &= ~is_login | (own.login == LOGIN)[:, None]
    if kinds.needs_login[kind]:
        behind_login = np.arange(len(steps)) >= kinds.login_position[kind]
        kept &= ~((own.login == ANONYMOUS)[:, None] & behind_login)
    if kind < kinds.push:
        kept[:, -1] &= own.logs_out & ~own.crashes
        kept[:, -2] = own.crashes
    return kept


def _offers(own: Visits, steps: Steps, kinds: Kinds) -> np.ndarray:
    """Visits x steps: what stands in the slot of each step of a placement, by a random rotation per visit."""
    offers = np.zeros((len(own), len(steps)), np.int64)
    for column in np.flatnonzero(steps.placement != NONE):
        rotating = kinds.slot_offers[steps.placement[column]]
        turn = (uniform(own.key, "rotation", steps.placement[column]) * len(rotating)).astype(np.int64)
        offers[:, column] = rotating[(turn + steps.slot[column]) % len(rotating)]
    return offers


def _mark_clicks(kept: np.ndarray, own: Visits, steps: Steps, kinds: Kinds, offers: np.ndarray) -> None:
    """A slot that is shown is clicked by the chance of its position and of the product in it."""
    for column in np.flatnonzero((steps.placement != NONE) & (steps.event_type == CLICK_STEP)):
        number, slot = steps.placement[column], steps.slot[column]
        chance = np.zeros(len(kinds.world.offers))
        chance[kinds.slot_offers[number]] = click_chance(kinds.placements[number], slot)
        kept[:, column] &= uniform(own.key, "click", column) < chance[offers[:, column]]
