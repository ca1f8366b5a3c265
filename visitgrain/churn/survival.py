"""When silence begins: weekly hazards from any learner of probabilities, and what follows from them. Arrays only.

Each week that a subscriber is at risk becomes a row with the label "silence began in it"; the likelihood of these rows
is that of discrete-time survival (Singer, Willett 1993, J. Educ. Stat. 18:155), so a classifier of them gives hazards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visitgrain.churn.panel import Panel
from visitgrain.churn.quality import Floats

WEEK = "week"  # number of the week after the cut-off, from 1: the last feature of a model of hazards
DAYS = 7
TAIL_WEEKS = 4  # the last ones, whose mean hazard goes on after the horizon
LONGEST_DAYS = 3650.0  # no tail is longer on average: nothing that was seen bears out more
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spells:
    """What became of each row of a panel. Raises ValueError where `weeks` does not fit the rows.

    `panel.y` 1: silence begins in the week after `weeks` whole weeks. 0: it has not begun in them, and what comes after
    is not known (censored).
    """

    panel: Panel
    weeks: Counts

    def __post_init__(self) -> None:
        if self.weeks.shape != self.panel.y.shape or (self.weeks < 0).any():
            raise ValueError(f"weeks are counts from 0, one per row: found shape {self.weeks.shape}")

    def __len__(self) -> int:
        return len(self.weeks)

    @property
    def event(self) -> NDArray[np.bool_]:
        return np.asarray(self.panel.y == 1)

    def where(self, rows: NDArray[Any]) -> Spells:
        """The rows that a mask or positions choose."""
        return Spells(self.panel.where(rows), self.weeks[rows])

    def as_known_at(self, cut_off: np.datetime64, silence_days: int) -> Spells:
        """What could be told at the start of the day `cut_off`: silence begins `silence_days` before it is known."""
        known = known_weeks(self.panel.month, cut_off, silence_days)
        told = self.event & (self.weeks < known)
        p = self.panel
        return Spells(
            Panel(p.features, p.x, told.astype(np.float64), p.month, p.subscriber), np.minimum(self.weeks, known)
        )


def first_day_after(month: NDArray[np.datetime64] | np.datetime64) -> Any:
    """Cut-off of a month (datetime64[M]): the day after its last one."""
    return (month + np.timedelta64(1, "M")).astype("datetime64[D]")


def known_weeks(month: NDArray[np.datetime64], day: np.datetime64, silence_days: int) -> Counts:
    """Whole weeks after each month's cut-off of which it is known, at the start of `day`, whether silence began.

    The last first day of silence that can be known then is `silence_days` before `day`.
    """
    days = (day.astype("datetime64[D]") - first_day_after(month)).astype(np.int64) - silence_days + 1
    return np.asarray(np.maximum(days // DAYS, 0))


def person_weeks(spells: Spells, horizon: int) -> Panel:
    """One row per week at risk, up to `horizon`: the features, then WEEK; y = 1 in the week in which silence begins."""
    panel = spells.panel
    at_risk = np.minimum(spells.weeks + spells.event, horizon)
    row = np.repeat(np.arange(len(panel)), at_risk)
    week = np.arange(len(row)) - np.repeat(np.cumsum(at_risk) - at_risk, at_risk) + 1
    x = np.empty((len(row), len(panel.features) + 1))
    np.take(panel.x, row, axis=0, out=x[:, :-1])
    x[:, -1] = week
    begins = spells.event[row] & (week == spells.weeks[row] + 1)
    return Panel((*panel.features, WEEK), x, begins.astype(np.float64), panel.month[row], panel.subscriber[row])


def survival(hazard: Floats) -> Floats:
    """(rows, weeks): P(silence has not begun by the end of the week): product of 1 - hazard."""
    return np.asarray(np.cumprod(1 - hazard, axis=1), dtype=np.float64)


def silent_within(hazard: Floats, weeks: int) -> Floats:
    """P(silence begins within so many weeks), one per row."""
    return np.asarray(1 - np.prod(1 - hazard[:, :weeks], axis=1))


def expected_days(hazard: Floats) -> Floats:
    """Mean days until silence begins: restricted mean up to the horizon H, then a constant hazard h for ever.

    The area under the survival curve S, straight within weeks: 7 sum_j (S_{j-1} + S_j) / 2, S_0 = 1 (restricted mean:
    Royston, Parmar 2013, BMC Med. Res. Methodol. 13:152). Beyond H, S falls by 1 - h a week, which leaves
    S_H 7 (1/h - 1/2); h is the mean of the last TAIL_WEEKS hazards, at least such that the tail is LONGEST_DAYS.
    """
    end = survival(hazard)
    begin = np.hstack([np.ones((len(end), 1)), end[:, :-1]])
    least = 1 / (LONGEST_DAYS / DAYS + 0.5)
    tail = np.maximum(hazard[:, -TAIL_WEEKS:].mean(axis=1), least)
    return np.asarray(DAYS * ((begin + end).sum(axis=1) / 2 + end[:, -1] * (1 / tail - 0.5)))


def median_weeks(hazard: Floats) -> Floats:
    """Weeks after which silence has begun with probability 1/2, straight within a week; NaN beyond the horizon."""
    curve = np.hstack([np.ones((len(hazard), 1)), survival(hazard)])
    week = np.argmax(curve <= 0.5, axis=1)  # 0 where it never is
    rows = np.arange(len(curve))
    before, after = curve[rows, week - 1], curve[rows, week]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(week > 0, week - 1 + (before - 0.5) / (before - after), np.nan)
