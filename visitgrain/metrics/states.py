"""The state of subscribers: what of their past no window of days holds, as of a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visitgrain.metrics import date_sets
from visitgrain.metrics.windows import day_number
from visitgrain.span import Span

if TYPE_CHECKING:
    from visitgrain.metrics.sums_of_days import DayRows

SETS = ("activity_dates", "core_dates", "contact_dates", "purchase_dates")
FIRST: Mapping[str, str] = {"first_active_date": "activity_dates", "first_paid_date": "purchase_dates"}
LAST: Mapping[str, str] = {"last_active_date": "activity_dates", "last_paid_date": "purchase_dates"}
FIRST_ORDER = "first_order_business"
NEVER, NOT_YET = np.iinfo(np.int64).max, np.iinfo(np.int64).min  # of what is first, of what is last
Array = NDArray[Any]


@dataclass(frozen=True)
class State:
    """By name, one value per subscriber: words of sets from `origin` on, numbers of days, and the first order ever."""

    origin: int
    sets: dict[str, Array]
    firsts: dict[str, Array]  # NEVER = null
    lasts: dict[str, Array]  # NOT_YET = null
    present: Array

    @classmethod
    def empty(cls, size: int, origin: int) -> State:
        return cls(
            origin,
            {name: date_sets.empty(size) for name in SETS},
            {name: np.full(size, NEVER) for name in (*FIRST, FIRST_ORDER)},
            {name: np.full(size, NOT_YET) for name in LAST},
            np.zeros(size, np.bool_),
        )

    def add_states(self, rows: pa.Table, subject: Array) -> None:
        """Earlier states, at most one of a subscriber."""
        if not rows.num_rows:
            return
        earlier = date_sets.origin_of(day_number(rows["as_of"][0].as_py()))
        for name, words in self.sets.items():
            words[subject] |= date_sets.moved(_words(rows[name]), earlier, self.origin)
        for name, values in self.firsts.items():
            values[subject] = np.minimum(values[subject], _numbers(rows[name], NEVER))
        for name, values in self.lasts.items():
            values[subject] = np.maximum(values[subject], _numbers(rows[name], NOT_YET))
        self.present[subject] = True

    def add_days(self, rows: DayRows, days: Span, known: Array) -> None:
        """What happened on these days to subjects that are `known`."""
        inside = rows.within(days) & known[rows.subject]
        self.present[rows.subject[inside]] = True

        def happened(name: str) -> tuple[Array, Array, Array]:
            """Subject, day and number wherever there is any."""
            found = rows.among(name, inside)
            return rows.subject[found.rows], rows.day[found.rows].astype(np.int64), found.values

        dated = {name: happened(name)[:2] for name in SETS}
        for name, (subject, day) in dated.items():
            date_sets.insert(self.sets[name], subject, day, self.origin)
        for name, counted in FIRST.items():
            np.minimum.at(self.firsts[name], *dated[counted])
        for name, counted in LAST.items():
            np.maximum.at(self.lasts[name], *dated[counted])
        subject, _, order = happened(FIRST_ORDER)
        np.minimum.at(self.firsts[FIRST_ORDER], subject, order)


def sets_of(rows: DayRows, names: Sequence[str], days: Span, origin: int, known: Array) -> dict[str, Array]:
    """Sets of these days: a state without a past."""
    state = State.empty(rows.size, origin)
    state.add_days(rows, days, known)
    return {name: state.sets[name] for name in names}


def _words(column: pa.ChunkedArray) -> Array:
    return column.combine_chunks().flatten().to_numpy().view(np.uint64).reshape(-1, date_sets.WORDS)


def _numbers(column: pa.ChunkedArray, null: int) -> Array:
    whole = column.cast(pa.int32()) if pa.types.is_date(column.type) else column
    return np.asarray(whole.cast(pa.int64()).fill_null(null).to_numpy())
