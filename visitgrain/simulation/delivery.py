"""How an event reaches the feed: in time, late, out of order, twice, in conflict or broken; each at its stated rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visitgrain.simulation.chance import between, choose, draw, happens, uniform
from visitgrain.simulation.columns import Columns
from visitgrain.simulation.days import DAY, HOUR, SECOND, LocalClock, number_of
from visitgrain.simulation.events import Events
from visitgrain.simulation.parameters import Dirt
from visitgrain.simulation.visits import Visits
from visitgrain.span import Span

YEAR_9999_US = 253_370_736_000 * SECOND  # 9999-01-01 00:00 UTC
# What is broken in a malformed row: reason -> the column that holds nonsense, and the nonsense (None = nothing).
DEFECTS: dict[str, tuple[str, str | int | None]] = {
    "missing_event_time": ("event_time", None),
    "event_time_1970": ("event_time", 0),
    "event_time_9999": ("event_time", YEAR_9999_US),
    "missing_received_time": ("received_time", None),
    "missing_device": ("device_id", None),
    "missing_channel": ("channel", None),
    "unknown_channel": ("channel", "ap"),
    "unknown_event_type": ("event_type", "unknown"),
    "unknown_business": ("business", "brodband"),
}
LABELS = (
    "good",
    "late",
    "too_late",
    "out_of_order",
    "duplicate",
    "conflicting",
    *(f"malformed:{reason}" for reason in DEFECTS),
)
GOOD, LATE, TOO_LATE, OUT_OF_ORDER, DUPLICATE, CONFLICTING, MALFORMED = range(7)
USUAL_US = SECOND // 5


@dataclass(frozen=True)
class Deliveries(Columns):
    """One row per delivered row of the feed."""

    event: np.ndarray  # row of `Events`
    key: np.ndarray
    received_us: np.ndarray
    day: np.ndarray  # local day on which the collector delivers it
    label: np.ndarray  # place in `LABELS`


def to_deliveries(events: Events, visits: Visits, *, dirt: Dirt, clock: LocalClock, span: Span) -> Deliveries:
    """What is delivered within `span`, in the order of its reception. A copy has a label of its own."""
    label, received_us = _reception(events, visits, dirt)
    event, label = _with_copies(events.key, label, dirt)
    key, received_us = events.key[event], received_us[event]
    conflicts = label == CONFLICTING
    # A conflicting copy comes later than the row it contradicts, so that row wins.
    received_us += np.where(conflicts, between(uniform(key, "conflict"), 1, 600) * SECOND, 0)
    again = (label == DUPLICATE) & happens(key, "again", 0.5)  # half of the duplicates come a day after
    day = clock.day_of(received_us) + again
    # A malformed row has an id of its own: it contradicts nothing and replaces nothing.
    key = np.where(label >= MALFORMED, draw(key, "malformed"), key)
    within = np.flatnonzero((day >= number_of(span.start)) & (day <= number_of(span.end)))
    delivered = Deliveries(event, key, received_us, day, label).take(within)
    return delivered.take(np.lexsort((delivered.key, delivered.received_us, delivered.day)))


def _reception(events: Events, visits: Visits, dirt: Dirt) -> tuple[np.ndarray, np.ndarray]:
    """Label and instant at which the collector gets each event.

    A visit is sent as a whole, most within seconds, with a tail of hours: its events keep their order unless they are
    labelled.
    """
    shares = [1 - dirt.late - dirt.too_late - dirt.out_of_order, dirt.late, dirt.too_late, dirt.out_of_order]
    label = choose(uniform(events.key, "lateness"), shares)
    usual = USUAL_US + (uniform(visits.key, "delay") ** 24 * 6 * HOUR).astype(np.int64)
    in_order = events.event_us + usual[events.visit]
    received = in_order.copy()
    for kind, since, low, high in (
        (LATE, events.event_us, DAY, 3 * DAY - HOUR),
        (TOO_LATE, events.event_us, 3 * DAY + HOUR, 10 * DAY),
        (OUT_OF_ORDER, in_order, 2 * HOUR, 20 * HOUR),
    ):
        rows = np.flatnonzero(label == kind)
        received[rows] = since[rows] + between(uniform(events.key[rows], "lag"), low, high)
    return label, received


def _with_copies(keys: np.ndarray, label: np.ndarray, dirt: Dirt) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels of all events, followed by those of the copies."""
    copies = [dirt.duplicate, dirt.conflicting, dirt.malformed]
    kind = choose(uniform(keys, "copy"), [*copies, 1 - sum(copies)])
    copied = np.flatnonzero(kind < len(copies))
    defect = between(uniform(keys[copied], "defect"), 0, len(DEFECTS) - 1)
    copy_label = np.where(kind[copied] == 2, MALFORMED + defect, DUPLICATE + kind[copied])
    return np.concatenate([np.arange(len(keys)), copied]), np.concatenate([label, copy_label])
