"""Subscribers and their life: who they are, what they hold, when they fall silent and when they leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visitgrain.simulation.chance import between, choose, draw, happens, keys_of, normal, uniform
from visitgrain.simulation.columns import NONE, Columns
from visitgrain.simulation.days import month_begins, month_ends, month_number, number_of
from visitgrain.simulation.world import World
from visitgrain.span import Span

NEVER = 1 << 30  # a day, or a month, that does not come
ENDED_MONTHS = 6  # contracts that ended so long ago are still on file
UPDATE_DAYS_MOST = 30
FAMILY = 4  # neighbours that can form a household
LEAVING = ("cancelled", "ported_out")


@dataclass(frozen=True)
class Subscribers(Columns):
    """One row per subscriber. Days and months are numbers since 1970; NONE = has none, NEVER = not within the span.

    `person` is the key every later draw starts from. It depends on index and seed alone, so the first subscribers of a
    larger world are those of a smaller one; neighbours in pairs, families and circles are found by the index.
    """

    index: np.ndarray
    person: np.ndarray
    pair: np.ndarray  # key of the pair of neighbours
    subscriber_id: np.ndarray
    number_id: np.ndarray
    household_id: np.ndarray
    activation: np.ndarray  # day
    area_no: np.ndarray
    birth_year: np.ndarray
    plan_no: np.ndarray
    uses_e_channel: np.ndarray
    has_bot: np.ndarray
    is_hunter: np.ndarray  # of coupons
    borrows: np.ndarray  # the phone of the neighbour before
    hands_over: np.ndarray  # leaves, and the neighbour behind takes the number over
    takes_over: np.ndarray  # the number of the neighbour before
    dnd: np.ndarray
    consents: np.ndarray  # to be addressed
    refuses: np.ndarray  # neither of both: never said
    visit_rate: np.ndarray  # per day
    contract_end: np.ndarray  # day
    broadband_expiry: np.ndarray  # day
    data_use: np.ndarray  # share of the plan's data in a usual month
    sticky_services: np.ndarray
    silent_month: np.ndarray
    silent_from: np.ndarray  # day
    left_on: np.ndarray  # day
    leaving_no: np.ndarray

    def in_life(self, rows: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Whether each of `rows` is active and not silent on its day."""
        return (self.activation[rows] <= days) & (days < self.silent_from[rows])


def to_subscribers(indexes: np.ndarray, *, world: World, span: Span, seed: int) -> Subscribers:
    """The subscribers with these indexes and their life within `span`."""
    start = number_of(span.start)
    person, pair = keys_of(indexes, seed), keys_of(indexes - indexes % 2, seed)
    traits = {
        "index": indexes,
        "person": person,
        "pair": pair,
        "subscriber_id": pseudonym(person, "subscriber"),
        **_numbers(indexes, person, pair, world, start, seed),
        **_habits(person, world, span),
        **_holdings(person, world, start),
    }
    silent_month = _first_silent_month(traits, world, span)
    return Subscribers(**{**traits, **_endings(traits, silent_month, world, start)})


def pseudonym(keys: np.ndarray, name: str) -> np.ndarray:
    """Positive, 63 bits."""
    return (draw(keys, name) >> np.uint64(1)).astype(np.int64)


def silence_hazard(world: World, traits: dict[str, np.ndarray], month: int) -> np.ndarray:
    """Probability of falling silent in `month`: logistic in the drivers of conf/simulation.yaml."""
    weights = world.silence
    until_contract_ends = month_number(traits["contract_end"]) - month
    has_contract = traits["contract_end"] != NONE
    drivers = (
        (weights.contract_ends, has_contract & (np.abs(until_contract_ends) <= 1)),
        (weights.over_quota, traits["data_use"] > 1),
        (weights.new_customer, month_begins(month) - traits["activation"] < 180),
        (weights.few_sticky_services, traits["sticky_services"] == 0),
    )
    log_odds = weights.base + sum(weight * holds for weight, holds in drivers)
    return 1.0 / (1.0 + np.exp(-log_odds))


def _numbers(
    indexes: np.ndarray, person: np.ndarray, pair: np.ndarray, world: World, start: int, seed: int
) -> dict[str, np.ndarray]:
    """Activation, number, household and phone. In a recycled pair the second takes over the number of the first."""
    population, second = world.population, indexes % 2 == 1
    recycled = happens(pair, "recycled", world.numbers.recycled_share)
    borrowing = happens(pair, "borrower", population.shared_device_share * 2) & ~recycled
    family = happens(keys_of(indexes - indexes % FAMILY, seed), "family", population.family_share) & ~recycled
    left = start + between(uniform(pair, "left"), 0, population.joining_days - 1)
    taken_over = left + world.numbers.quarantine_days + between(uniform(pair, "taken over"), 0, 29)
    joins = happens(person, "joins", population.joiners_share) & ~recycled
    joined = start + between(uniform(person, "joined"), 0, population.joining_days - 1)
    tenure = np.ceil(-population.tenure_days * np.log1p(-uniform(person, "tenure"))).astype(np.int64)
    of_family = pseudonym(keys_of(indexes - indexes % FAMILY, seed), "family")
    of_pair = pseudonym(np.where(borrowing, pair, person), "household")
    return {
        "activation": np.where(recycled & second, taken_over, np.where(joins, joined, start - tenure)),
        "hands_over": recycled & ~second,
        "takes_over": recycled & second,
        "left_on": np.where(recycled & ~second, left, NEVER),
        "number_id": pseudonym(np.where(recycled, pair, person), "number"),
        "household_id": np.where(family, of_family, of_pair),
        "borrows": borrowing & second,
    }


def _habits(person: np.ndarray, world: World, span: Span) -> dict[str, np.ndarray]:
    population, hunters = world.population, world.coupon_hunters
    is_hunter = happens(person, "hunter", hunters.share)
    # The mean of exp(sigma * z) is exp(sigma^2 / 2); it is taken out so that `visits_per_month` is the mean.
    spread = population.visits_spread
    rate = np.exp(spread * normal(person, "rate") - spread**2 / 2) * population.visits_per_month
    consent, billing = uniform(person, "consent"), world.billing
    age = 18 + (55 * uniform(person, "age") ** 1.3).astype(np.int64)
    return {
        "area_no": between(uniform(person, "area"), 0, len(population.areas) - 1),
        "birth_year": span.start.year - age,
        "uses_e_channel": happens(person, "e_channel", population.e_channel_share) | is_hunter,
        "has_bot": happens(person, "bot", population.bot_share),
        "is_hunter": is_hunter,
        "dnd": happens(person, "dnd", billing.dnd_share),
        "consents": consent < billing.consent_share,
        "refuses": (consent >= billing.consent_share) & (consent < billing.consent_share + billing.refusal_share),
        "visit_rate": np.where(is_hunter, hunters.visits_per_month, rate) / 30,
    }


def _holdings(person: np.ndarray, world: World, start: int) -> dict[str, np.ndarray]:
    held, until = world.holdings, uniform(person, "broadband ends")
    months_to_end = between(uniform(person, "contract"), -ENDED_MONTHS, held.contract_months - ENDED_MONTHS)
    ends = month_ends(month_number(start) + months_to_end)
    expiry = start + (until * held.broadband_days).astype(np.int64)
    return {
        "plan_no": choose(uniform(person, "plan"), [plan.weight for plan in world.plans]),
        "contract_end": np.where(happens(person, "has contract", held.contract_share), ends, NONE),
        "broadband_expiry": np.where(happens(person, "broadband", held.broadband_share), expiry, NONE),
        "data_use": held.data_use * np.exp(held.data_use_spread * normal(person, "data use")),
        "sticky_services": choose(uniform(person, "sticky"), held.sticky_services),
    }


def _first_silent_month(traits: dict[str, np.ndarray], world: World, span: Span) -> np.ndarray:
    """The first month whose draw falls under its hazard. Who hands a number over leaves by plan, not by hazard."""
    silent = np.full(len(traits["person"]), NEVER, np.int64)
    for month in range(int(month_number(number_of(span.start))), int(month_number(number_of(span.end))) + 1):
        joined = (traits["activation"] <= month_ends(month)) & ~traits["hands_over"]
        falls = uniform(traits["person"], "silence", month) < silence_hazard(world, traits, month)
        silent = np.where((silent == NEVER) & joined & falls, month, silent)
    return silent


def _endings(
    traits: dict[str, np.ndarray], silent_month: np.ndarray, world: World, start: int
) -> dict[str, np.ndarray]:
    """First silent day, day of leaving and how. Part of the silent leave in the month after."""
    person, strikes = traits["person"], silent_month != NEVER
    month = np.where(strikes, silent_month, 0)
    from_hazard = np.maximum(month_begins(month) + between(uniform(person, "silent_day"), 0, 27), traits["activation"])
    leaves = strikes & happens(person, "leaves", world.silence.leaves_share)
    leaving_day = month_begins(month + 1) + between(uniform(person, "leaving_day"), 0, 27)
    left_on = np.where(leaves, leaving_day, traits["left_on"])
    return {
        "silent_month": silent_month,
        "silent_from": np.where(strikes, from_hazard, traits["left_on"]),
        "left_on": left_on,
        "leaving_no": happens(person, "ports_out", 0.5) & ~traits["hands_over"],
    }
