"""Planned visits: where each takes place, on which device, under which name, and how it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visitgrain.simulation.chance import between, choose, choose_code, draw, happens, keys_of, normal, uniform
from visitgrain.simulation.columns import NONE
from visitgrain.simulation.days import SECOND, LocalClock, month_number, number_of
from visitgrain.simulation.occasions import Occasions
from visitgrain.simulation.scripts import Kinds
from visitgrain.simulation.subscribers import UPDATE_DAYS_MOST, Subscribers
from visitgrain.simulation.world import LOGINS, World
from visitgrain.tables.vocabulary import CHANNELS, ENTRY_SOURCES

CAMPAIGN_SOURCES = tuple(ENTRY_SOURCES.index(source) for source in ("push", "sms", "ad"))
APP, WEB, WECHAT = (CHANNELS.index(name) for name in ("app", "web", "wechat"))
REMEMBERED, LOGIN, ANONYMOUS = (LOGINS.index(name) for name in ("remembered", "login", "anonymous"))


@dataclass(frozen=True)
class Visits(Occasions):
    """One row per planned visit, push receipt or bot run; codes are places in the closed lists of the data model."""

    channel: np.ndarray
    at_kiosk: np.ndarray
    borrowed: np.ndarray  # on the phone of the neighbour
    number_only: np.ndarray  # the log knows the number, not the subscriber
    device: np.ndarray
    os: np.ndarray
    version: np.ndarray  # place in `World.releases`
    login: np.ndarray
    logs_out: np.ndarray
    crashes: np.ndarray
    start_us: np.ndarray
    pace: np.ndarray
    pause_s: np.ndarray


def to_visits(
    occasions: Occasions, people: Subscribers, *, world: World, kinds: Kinds, clock: LocalClock, seed: int
) -> Visits:
    """`occasions` with all that is open decided by chance. An offer of a campaign is ordered on the own phone."""
    who = people.take(occasions.subscriber)
    place = _place(occasions, who, world, kinds)
    login = _login(occasions, place, world, kinds)
    version = np.where(place["channel"] == APP, _version(occasions, who, world), NONE)
    source = np.where(occasions.source == NONE, _source(occasions, world), occasions.source)
    return Visits(
        **{
            **vars(occasions),
            **place,
            **_device(occasions, who, place, world, kinds, seed),
            **_course(occasions, clock, world),
            "login": login,
            "source": np.where(occasions.kind < kinds.push, source, NONE),
            "version": version,
            "number_only": _number_only(occasions, place, login, world, kinds),
            "logs_out": _logs_out(occasions, place, login, world),
            "crashes": _crashes(occasions, version, world, kinds),
        }
    )


def _place(occasions: Occasions, who: Subscribers, world: World, kinds: Kinds) -> dict[str, np.ndarray]:
    """Channel, and whether the device is somebody else's."""
    population, open_ = world.population, (occasions.kind < kinds.push) & (occasions.campaign == NONE)
    kiosk = open_ & happens(occasions.key, "kiosk", population.kiosk_visit_share)
    channel = choose_code(uniform(occasions.key, "channel"), world.channels, CHANNELS)
    channel = np.where(kiosk | (occasions.kind == kinds.bot), WEB, np.where(open_, channel, APP))
    borrows = who.borrows & happens(occasions.key, "borrows", population.borrowed_visit_share)
    return {"channel": channel, "at_kiosk": kiosk, "borrowed": open_ & borrows & (channel == APP)}


def _device(
    occasions: Occasions, who: Subscribers, place: dict[str, np.ndarray], world: World, kinds: Kinds, seed: int
) -> dict[str, np.ndarray]:
    """Device and operating system. A browser loses its cookie every month."""
    channel, person = place["channel"], who.person
    has_second = happens(person, "second", world.population.second_device_share)
    second = has_second & happens(occasions.key, "second phone", world.devices.second_phone_share)
    second &= (occasions.kind < kinds.push) & ~place["borrowed"]
    owner = np.where(place["borrowed"], who.pair, person)  # the pair's key is that of its first
    outlet = who.index // world.population.kiosk_catchment * len(world.population.areas) + who.area_no
    device = np.select(
        [occasions.kind == kinds.bot, place["at_kiosk"], channel == WEB, channel == WECHAT],
        [
            draw(person, "bot device"),
            draw(keys_of(outlet, seed), "kiosk"),
            draw(person, "cookie", month_number(occasions.day)),
            draw(person, "wechat"),
        ],
        draw(owner, "phone", second.astype(np.int64)),
    )
    drawn, systems = uniform(device, "os"), world.operating_systems
    on_web, on_phone = (choose_code(drawn, w, systems) for w in (world.devices.desktops, world.devices.phones))
    return {"device": device, "os": np.where(channel == WEB, on_web, on_phone)}


def _login(occasions: Occasions, place: dict[str, np.ndarray], world: World, kinds: Kinds) -> np.ndarray:
    drawn = choose_code(uniform(occasions.key, "login"), world.logins, LOGINS)
    login = np.where(place["at_kiosk"] | place["borrowed"], LOGIN, drawn)
    login = np.where((occasions.kind == kinds.push) | (occasions.campaign != NONE), REMEMBERED, login)
    return np.where(occasions.kind == kinds.bot, ANONYMOUS, login)


def _number_only(
    occasions: Occasions, place: dict[str, np.ndarray], login: np.ndarray, world: World, kinds: Kinds
) -> np.ndarray:
    named = (place["channel"] == WEB) & (login != ANONYMOUS)
    return named & happens(occasions.key, "number only", world.numbers.number_only_share)


def _logs_out(occasions: Occasions, place: dict[str, np.ndarray], login: np.ndarray, world: World) -> np.ndarray:
    not_own = place["at_kiosk"] | place["borrowed"]
    share = np.where(not_own, world.borrowed_logout_share, world.logout_share)
    return happens(occasions.key, "logs out", share) & (login != ANONYMOUS)


def _course(occasions: Occasions, clock: LocalClock, world: World) -> dict[str, np.ndarray]:
    """Start, pace and pause."""
    hour = choose(uniform(occasions.key, "hour"), world.rhythm.hours)
    second = ((hour + uniform(occasions.key, "minute")) * 3600).astype(np.int64)
    pauses = happens(occasions.key, "pauses", world.pause_share)
    begin = clock.begin(occasions.day) + np.where(occasions.second == NONE, second, occasions.second) * SECOND
    return {
        "start_us": begin + (uniform(occasions.key, "fraction") * SECOND).astype(np.int64),
        "pace": np.exp(0.5 * normal(occasions.key, "pace")),
        "pause_s": np.where(pauses, between(uniform(occasions.key, "pause"), 1200, 2400), 0),
    }


def _source(occasions: Occasions, world: World) -> np.ndarray:
    return choose_code(uniform(occasions.key, "source"), world.sources, ENTRY_SOURCES)


def _version(occasions: Occasions, who: Subscribers, world: World) -> np.ndarray:
    """The newest release that is older than the subscriber's habit of updating."""
    known = occasions.day - between(uniform(who.person, "update"), 0, UPDATE_DAYS_MOST)
    version = np.full(len(occasions), NONE)
    for place, release in sorted(enumerate(world.releases), key=lambda known: known[1].released):
        version = np.where(known >= number_of(release.released), place, version)
    return version


def _crashes(occasions: Occasions, version: np.ndarray, world: World, kinds: Kinds) -> np.ndarray:
    """A broken release crashes until it is fixed. Orders of campaigns are spared: their uplift is planted."""
    share = np.zeros(len(occasions))
    for place, release in enumerate(world.releases):
        since = occasions.day - number_of(release.released)
        share = np.where((version == place) & (since < release.crash_days), release.crash_share, share)
    return happens(occasions.key, "crashes", share) & (occasions.kind < kinds.push) & (occasions.campaign == NONE)
