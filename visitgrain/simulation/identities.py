"""Who holds which number when, and what is planted in each subscriber."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from visitgrain.simulation.chance import between, happens, uniform
from visitgrain.simulation.columns import conformed, dates
from visitgrain.simulation.days import number_of
from visitgrain.simulation.subscribers import Subscribers, pseudonym
from visitgrain.simulation.world import World
from visitgrain.span import Span
from visitgrain.tables.inputs import NUMBERS

FREE_DAYS, HELD_DAYS = 30, 3000  # between two holders beyond the quarantine, and with one holder, at most


def to_number_rows(people: Subscribers, *, world: World, span: Span) -> pa.Table:
    """`numbers` as known at the end of `span`: one row per number and holder, holders before this world included."""
    held = people.take(np.flatnonzero(people.activation <= number_of(span.end)))
    had_holder = happens(held.person, "former", world.numbers.former_holder_share) & ~held.takes_over
    later = held.take(np.flatnonzero(had_holder))
    free = world.numbers.quarantine_days + between(uniform(later.person, "free"), 0, FREE_DAYS - 1)
    returned = later.activation - free
    ended = np.concatenate([held.left_on <= number_of(span.end), np.ones(len(later), bool)])
    valid_to = np.concatenate([held.left_on, returned])
    columns = {
        "number_id": np.concatenate([held.number_id, later.number_id]),
        "valid_from": dates(
            np.concatenate([held.activation, returned - between(uniform(later.person, "held"), 30, HELD_DAYS)])
        ),
        "valid_to": dates(np.where(ended, valid_to, 0), ended),
        "subscriber_id": np.concatenate([held.subscriber_id, pseudonym(later.person, "former holder")]),
        "household_id": np.concatenate([held.household_id, pseudonym(later.person, "former household")]),
    }
    return conformed(columns, NUMBERS)


def to_true_subscribers(people: Subscribers, *, span: Span) -> pa.Table:
    """Truth: what each subscriber is and does that no log says."""
    people = people.take(np.flatnonzero(people.activation <= number_of(span.end)))
    columns = {
        "subscriber_id": people.subscriber_id,
        "uses_e_channel": people.uses_e_channel,
        "is_coupon_hunter": people.is_hunter,
        "has_bot": people.has_bot,
        "borrows_phone": people.borrows,
        "hands_number_over": people.hands_over,
        "takes_number_over": people.takes_over,
        "visits_per_day": people.visit_rate,
        "data_use": people.data_use,
        "silent_from": dates(people.silent_from, people.silent_from <= number_of(span.end)),
        "left_on": dates(people.left_on, people.left_on <= number_of(span.end)),
    }
    return pa.table(columns)
