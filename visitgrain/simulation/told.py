"""Delivered rows with all that they tell of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from visitgrain.simulation.columns import NONE
from visitgrain.simulation.delivery import Deliveries
from visitgrain.simulation.events import Events
from visitgrain.simulation.scripts import Kinds
from visitgrain.simulation.subscribers import Subscribers
from visitgrain.simulation.visits import Visits


@dataclass(frozen=True)
class Told:
    """Delivered rows, and the events, visits and subscribers that they tell of."""

    rows: Deliveries
    events: Events
    visits: Visits
    people: Subscribers
    kinds: Kinds
    month: int  # since 1970, in which the visits were planned

    @cached_property
    def visit(self) -> np.ndarray:
        """Row of `Visits` per delivered row."""
        return self.events.visit[self.rows.event]

    @cached_property
    def who(self) -> np.ndarray:
        """Row of `Subscribers` per delivered row."""
        return self.visits.subscriber[self.visit]

    @cached_property
    def step(self) -> np.ndarray:
        """Row of `Steps` per delivered row."""
        return self.events.step[self.rows.event]

    @cached_property
    def key(self) -> np.ndarray:
        """Of the event, which the copies of a row share."""
        return self.events.key[self.rows.event]

    @cached_property
    def opens(self) -> np.ndarray:
        """Whether the event is the first of its visit, which says where the visit came from."""
        return self.kinds.steps.position[self.step] == 0

    @cached_property
    def is_anonymous(self) -> np.ndarray:
        return self.events.is_anonymous[self.rows.event]

    @cached_property
    def source(self) -> np.ndarray:
        return np.where(self.opens, self.visits.source[self.visit], NONE)
