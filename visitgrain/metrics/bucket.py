"""The rows of one bucket of subscribers, in a worker: told apart by number, nobody last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from visitgrain.arrow.shuffle import by_mark, together
from visitgrain.metrics import date_sets, sources
from visitgrain.metrics.history import Reach, reach_of
from visitgrain.metrics.states import State
from visitgrain.metrics.sums_of_days import DayRows
from visitgrain.metrics.windows import WindowEnd, day_number
from visitgrain.span import Span, month_end_before

Array = NDArray[Any]


@dataclass(frozen=True)
class Coded:
    """A text per row: its place in `texts`, -1 = none."""

    texts: Sequence[str]
    codes: Array


Rows = tuple[Array, pa.Table]  # numbers of subscribers, and what is known of them


class Bucket:
    """All that was sent of some subscribers."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._tables = by_mark(batches)
        self._states: dict[date, State] = {}
        self._rows: dict[tuple[str, date], Rows | None] = {}
        measured = (row for table in self._tables.pop(sources.MEASURED, []) for row in table.to_pylist())
        self._through = {row["day"]: row["complete_through"] for row in measured}
        found = [_ids(table)[~_nobody(table)] for tables in self._tables.values() for table in tables]
        self.ids = np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)
        nobody = any(sources.NOBODY in table.column_names for tables in self._tables.values() for table in tables)
        self.size = len(self.ids) + nobody
        self.known = np.arange(self.size) < len(self.ids)  # all but nobody

    @cached_property
    def days(self) -> DayRows:
        """Rows of subscriber_days."""
        tables = self._tables.get(sources.DAYS, [])
        return DayRows.of(self.size, self._numbered(tables), tables)

    @cached_property
    def slices(self) -> tuple[Array, Coded, Coded]:
        """Per subject of `slice_days`: its subscriber, slice and value."""
        return self._slices[:3]

    @cached_property
    def slice_days(self) -> DayRows:
        """Rows of subscriber_slice_days. Subjects are the different slices of subscribers."""
        tables = self._tables.get(sources.SLICE_DAYS, [])
        people, *_, subject = self._slices
        return DayRows.of(len(people), subject, tables)

    @cached_property
    def _slices(self) -> tuple[Array, Coded, Coded, Array]:
        tables = self._tables.get(sources.SLICE_DAYS, [])
        names, values = (coded([table[name] for table in tables]) for name in ("slice", "slice_value"))
        key = (self._numbered(tables) * max(len(names.texts), 1) + names.codes) * max(len(values.texts), 1)
        _, first, subject = np.unique(key + values.codes, return_index=True, return_inverse=True)
        of_subject = (Coded(each.texts, each.codes[first]) for each in (names, values))
        return (self._numbered(tables)[first], *of_subject, subject)

    def reach(self, window: WindowEnd) -> Reach:
        return reach_of(self._through, window)

    def state(self, day: date) -> State:
        """At the end of the day: that of the last month end before its month, and the days since."""
        if day not in self._states:
            state = State.empty(self.size, date_sets.origin_of(day_number(day)))
            if found := self.rows(sources.STATES, month_end_before(day)):
                state.add_states(found[1], found[0])
            state.add_days(self.days, Span(day.replace(day=1), day), self.known)
            self._states[day] = state
        return self._states[day]

    def rows(self, of: str, on: date) -> Rows | None:
        """Of a source with at most one row of a subscriber a partition: the rows of the partition `on`, and whose."""
        if (of, on) not in self._rows:
            self._rows[of, on] = self._rows_on(of, on)
        return self._rows[of, on]

    def _rows_on(self, of: str, on: date) -> Rows | None:
        column = "as_of" if of == sources.STATES else "month"
        tables = [table.filter(pc.equal(table[column], pa.scalar(on))) for table in self._tables.get(of, [])]
        if not any(table.num_rows for table in tables):
            return None
        return self._numbered(tables), together(tables)

    def _numbered(self, tables: Sequence[pa.Table]) -> Array:
        """Per row the number of its subscriber; nobody has the last one."""
        found = [np.where(_nobody(table), len(self.ids), np.searchsorted(self.ids, _ids(table))) for table in tables]
        return np.concatenate(found) if found else np.zeros(0, np.int64)


def coded(columns: Sequence[pa.ChunkedArray]) -> Coded:
    """Texts with codes of their own, the same for all of `columns`."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    if not chunks:
        return Coded([], np.zeros(0, np.int64))
    plain = [chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode() for chunk in chunks]
    whole = pa.chunked_array([one.cast(_TEXTS) for one in plain]).unify_dictionaries().combine_chunks()
    return Coded(whole.dictionary.to_pylist(), whole.indices.fill_null(-1).to_numpy().astype(np.int64))


_TEXTS = pa.dictionary(pa.int32(), pa.string())


def _ids(table: pa.Table) -> Array:
    return np.asarray(table[sources.SUBJECT].to_numpy())


def _nobody(table: pa.Table) -> Array:
    if sources.NOBODY not in table.column_names:
        return np.zeros(table.num_rows, np.bool_)
    return np.asarray(table[sources.NOBODY].to_numpy())
