"""Everything formulas read: subjects of one window, and their measures now and some windows ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from visitgrain.catalogue.atoms import Atom
from visitgrain.catalogue.measures import Measure
from visitgrain.expressions.measures import FIRST_KEYS
from visitgrain.metrics import date_sets, sources
from visitgrain.metrics.bucket import Bucket, Coded, Rows, coded
from visitgrain.metrics.plans import ACTIVE, ACTIVE_DATES, Plans
from visitgrain.metrics.snapshots import FROM_SNAPSHOT
from visitgrain.metrics.states import FIRST, FIRST_ORDER, LAST, NEVER, NOT_YET, SETS, State, sets_of
from visitgrain.metrics.sums_of_days import DayRows
from visitgrain.metrics.values import People, Value
from visitgrain.metrics.windows import WindowEnd, day_number
from visitgrain.span import Span

Array = NDArray[Any]
Months = Mapping[tuple[WindowEnd, int], date]
SEGMENTS = (sources.CONSUMPTION, sources.BEHAVIOUR)
UNASSIGNED = "unassigned"


@dataclass(frozen=True)
class Frame:
    """`people` of a window; `present`: those of whom anything is known there. `attributes` of subscribers by name."""

    people: People
    present: Array
    attributes: Mapping[str, Coded]


class Frames:
    """The windows of one bucket, as `plans` read them."""

    def __init__(self, bucket: Bucket, plans: Plans, months: Months) -> None:
        self.bucket, self.plans, self.months = bucket, plans, months

    def of_subscribers(self, window: WindowEnd) -> Frame:
        """Everybody ever seen or in a snapshot, and nobody, if anonymous visits were sent."""
        state, present = self.bucket.state(window.end), self._seen(self.bucket.days, window)
        present |= state.present
        snapshots: dict[Atom, Value] = {}
        for back in self.plans.snapshot_backs:
            present |= self._snapshots(window, back, snapshots)
        atoms = {**self._sums(self.bucket.days, window), **snapshots}
        for found in self.plans.atoms - atoms.keys():
            atoms[found] = self._of_state(found, state, window)
        return Frame(self._people(window, self.bucket.size, atoms), present, self._attributes(window))

    def of_slices(self, window: WindowEnd) -> Frame:
        """Slices of subscribers. Their sets of dates reach as far back as the days that were sent."""
        rows, origin = self.bucket.slice_days, _origin(window)
        people, *_ = self.bucket.slices
        known = self.bucket.known[people]
        before = Span(date.min, window.end)
        sets = sets_of(rows, self.plans.sets, before, origin, known) if self.plans.sets else {}
        present = self._seen(rows, window)
        if self.plans.sets:
            present |= rows.present(before) & known
        atoms = self._sums(rows, window)
        for found in self.plans.atoms - atoms.keys():
            atoms[found] = self._of_sets(found, sets, window, rows.size)
        return Frame(self._people(window, rows.size, atoms), present, {})

    def _people(self, window: WindowEnd, size: int, atoms: Mapping[Atom, Value]) -> People:
        return People(size, window, atoms, self.plans.catalogue.names.measures, _origin(window))

    def _seen(self, rows: DayRows, window: WindowEnd) -> Array:
        found = np.zeros(rows.size, np.bool_)
        for back in sorted({atom.back for atom in self.plans.added}):
            found |= rows.present(window.bounds(back))
        return found

    def _sums(self, rows: DayRows, window: WindowEnd) -> dict[Atom, Value]:
        atoms = {}
        for back in self.plans.day_backs:
            columns = {a: self.plans.measures[a.measure].column(a.key) for a in self.plans.added if a.back == back}
            sums = rows.sums(set(columns.values()), window.bounds(back))
            atoms |= {found: Value(sums[column]) for found, column in columns.items()}
        return atoms

    def _of_state(self, found: Atom, state: State, window: WindowEnd) -> Value:
        measure = self.plans.measures[found.measure]
        if measure.agg == "first_by":
            return Value(_first_in_window(state.firsts[FIRST_ORDER], measure, found, window, self.plans.zone))
        if found.measure in FIRST:
            first = state.firsts[found.measure]
            return Value(first, first != NEVER, "date")
        if found.measure in LAST:
            last = state.lasts[found.measure]
            return Value(last, last != NOT_YET, "date")
        return self._of_sets(found, state.sets, window, self.bucket.size)

    def _of_sets(self, found: Atom, sets: Mapping[str, Array], window: WindowEnd, size: int) -> Value:
        if found.measure in SETS:
            return Value(sets[found.measure], None, "set")
        if found.measure == ACTIVE:
            places = (np.asarray(day - _origin(window)) for day in window.day_numbers(found.back))
            return Value(date_sets.hits(sets[ACTIVE_DATES], *places))
        return Value(np.zeros(size, np.int64))  # slices have no state

    def _snapshots(self, window: WindowEnd, back: int, atoms: dict[Atom, Value]) -> Array:
        """Adds the snapshot measures; per subscriber: is there a row of that month?"""
        present = np.zeros(self.bucket.size, np.bool_)
        month = self.months.get((window, back))
        for segments in SEGMENTS:
            if month and (rows := self.bucket.rows(segments, month)):
                present[rows[0]] = True
        rows = self.bucket.rows(sources.SNAPSHOTS, month) if month else None
        if rows:
            present[rows[0]] = True
        for found in self.plans.atoms:
            if found.back == back and found.measure in self.plans.snapshot_measures:
                column = rows[1][found.measure] if rows and found.measure in rows[1].column_names else None
                atoms[found] = _spread(column, rows, self.bucket.size)
        return present

    def _attributes(self, window: WindowEnd) -> dict[str, Coded]:
        """Of every subscriber of the bucket, -1 where unknown."""
        month, found = self.months.get((window, 0)), {}
        rows = self.bucket.rows(sources.SNAPSHOTS, month) if month else None
        for name in FROM_SNAPSHOT:
            found[name] = self._attribute(rows, name)
        for name in SEGMENTS:
            rows = self.bucket.rows(name, month) if month else None
            found[name] = self._attribute(rows, "segment", UNASSIGNED)
        return found

    def _attribute(self, rows: Rows | None, column: str, null: str | None = None) -> Coded:
        codes = np.full(self.bucket.size, -1, np.int64)
        if rows is None:
            return Coded([], codes)
        texts = rows[1][column].cast(pa.string())
        of_rows = coded([texts if null is None else pc.fill_null(texts, null)])
        codes[rows[0]] = of_rows.codes
        return Coded(of_rows.texts, codes)


def _origin(window: WindowEnd) -> int:
    return date_sets.origin_of(day_number(window.end))


def _spread(column: pa.ChunkedArray | None, rows: Rows | None, size: int) -> Value:
    """The column in the places of its subscribers, null elsewhere."""
    there = np.zeros(size, np.bool_)
    if column is None or rows is None:
        return Value(np.zeros(size, np.int64), there)
    dated = pa.types.is_date(column.type)
    whole = column.cast(pa.int32()).cast(pa.int64()) if dated else column
    kind = np.float64 if pa.types.is_floating(whole.type) else np.int64
    data = np.zeros(size, kind)
    data[rows[0]] = whole.fill_null(0).to_numpy()
    there[rows[0]] = whole.is_valid().to_numpy()
    return Value(data, there, "date" if dated else "num")


def _first_in_window(first: Array, measure: Measure, found: Atom, window: WindowEnd, zone: str) -> Array:
    """1 where the first row ever has this key and falls into the window."""
    instants = pl.from_numpy(np.where(first == NEVER, 0, first // FIRST_KEYS), schema=["at"])["at"]
    day = instants.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.date().to_physical().to_numpy()
    is_key = (first != NEVER) & (first % FIRST_KEYS == measure.keys.index(found.key) + 1)
    start, end = window.day_numbers()
    return (is_key & (day >= start) & (day <= end)).astype(np.int64)
