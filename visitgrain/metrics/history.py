"""How far back history reaches: a metric that looks further is null, not wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from visitgrain.catalogue.metrics import Metric
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.windows import WindowEnd


class Reach(NamedTuple):
    """`covered_from`, the first day since which every day up to the end of a window was measured (None: not even the
    last), and `complete_through`, up to when the data of the window's days were there."""

    covered_from: date | None
    complete_through: datetime | None

    def covers(self, metric: Metric, window: WindowEnd, plans: Plans) -> bool:
        """Has the metric the window, and was every day measured that it reads?"""
        if window.name not in metric.windows or self.covered_from is None:
            return False
        return self.covered_from <= first_needed(metric, window, plans)


def first_needed(metric: Metric, window: WindowEnd, plans: Plans) -> date:
    """The first local day that the metric reads."""
    start = window.bounds(plans.catalogue.look_back(metric.id)).start
    return start - timedelta(days=plans.catalogue.days_before(metric.id))


def reach_of(through: Mapping[date, datetime], window: WindowEnd) -> Reach:
    """`through`: up to when the data of each measured day were there."""
    day = window.end
    while day in through:
        day -= timedelta(days=1)
    first = None if day == window.end else day + timedelta(days=1)
    inside = [through[day] for day in window.bounds().days() if day in through]
    return Reach(first, max(inside, default=None))
