"""Days -> windows: the additive measures of subjects (subscribers, or their slices), summed over days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visitgrain.arrow.exact import FRACTION, whole_of
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.states import FIRST_ORDER, SETS
from visitgrain.metrics.windows import WindowEnd, day_number
from visitgrain.span import Span

Array = NDArray[Any]


def day_columns(plans: Plans, windows: Iterable[WindowEnd], day: date, *, sliced: bool = False) -> list[str]:
    """Columns of a day that the windows are made of: of the windows before them formulas read few. Slices have no
    state."""
    spans = [(back, window.bounds(back)) for window in windows for back in plans.day_backs]
    backs = {back for back, span in spans if span.start <= day <= span.end}
    added = [plans.measures[found.measure].column(found.key) for found in plans.added if found.back in backs]
    sketches = [str(leaf.tree.name) for leaf in plans.quantiles if leaf.back in backs]  # type: ignore[union-attr]
    dated = plans.sets if sliced else [*SETS, FIRST_ORDER]
    return list(dict.fromkeys([*added, *sketches, *dated]))


class ByKey(NamedTuple):
    """Rows in the order of their keys: where each of `keys`, which differ, begins."""

    order: Array | slice
    starts: Array
    keys: Array

    @classmethod
    def of(cls, keys: Array, order: Array | slice) -> ByKey:
        """`order` brings rows with the same key, which is 0 or more, together; it may leave some out."""
        ordered = keys[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        return cls(order, starts, ordered[starts])

    def sums(self, values: Array) -> Array:
        """One per key, of one row at least."""
        found: Array = np.add.reduceat(values[self.order], self.starts, dtype=np.int64)
        return found


@dataclass(frozen=True)
class DayRows:
    """Rows of days in the order of their subjects, which are numbered from 0 to `size` - 1.

    `columns` are whole numbers; of a double its whole part, and behind FRACTION the rest. `maps` are sketches.
    """

    size: int
    subject: Array
    day: Array
    columns: Mapping[str, Array]
    maps: Mapping[str, pa.MapArray]

    @classmethod
    def of(cls, size: int, subject: Array, tables: Sequence[pa.Table]) -> DayRows:
        """From tables of which `subject` tells the subject of each row; columns that a table lacks are 0 in it."""
        order = np.argsort(subject, kind="stable")
        kinds = {field.name: field.type for table in tables for field in table.schema}
        plain = [name for name, kind in kinds.items() if pa.types.is_integer(kind) and name != "subscriber_id"]
        columns = [dict(zip(table.column_names, table.columns, strict=True)) for table in tables]
        maps = [name for name, kind in kinds.items() if pa.types.is_map(kind)]
        day = _together([table["day"].cast(pa.int32()).to_numpy() for table in tables])
        return cls(
            size,
            subject[order],
            day[order],
            {name: _column(columns, len(order), name)[order] for name in plain},
            {name: _map(columns, kinds[name], name).take(pa.array(order)) for name in maps},
        )

    def within(self, days: Span) -> Array:
        """Positions of the rows of these days."""
        return np.flatnonzero(self._inside(days))

    def _inside(self, days: Span) -> Array:
        return (self.day >= day_number(days.start)) & (self.day <= day_number(days.end))

    def present(self, days: Span) -> Array:
        """Per subject: is there a row of these days?"""
        found = np.zeros(self.size, np.bool_)
        found[self.subject[self._inside(days)]] = True
        return found

    def sums(self, names: Iterable[str], days: Span) -> dict[str, Array]:
        """Per name the sum over these days of every subject; of a double as double."""
        inside = self._inside(days)
        wanted = slice(None) if inside.all() else np.flatnonzero(inside)  # nothing is copied to take all rows
        subjects = ByKey.of(self.subject, wanted)

        def added(name: str) -> Array:
            total = np.zeros(self.size, np.int64)
            if name in self.columns and len(subjects.keys):
                total[subjects.keys] = subjects.sums(self.columns[name])
            return total

        def number(name: str) -> Array:
            rest = f"{name}{FRACTION}"
            return whole_of(added(name), added(rest)) if rest in self.columns else added(name)

        return {name: number(name) for name in names}


def _column(tables: Sequence[Mapping[str, pa.ChunkedArray]], rows: int, name: str) -> Array:
    """Of all tables, one after the other, in the widest of their types. Nulls are 0, and so is what a table lacks."""
    types = {table[name].type.to_pandas_dtype() for table in tables if name in table}
    found, start = np.zeros(rows, np.result_type(*types)), 0
    for table in tables:
        end = start + len(table["day"])
        if name in table:
            found[start:end] = table[name].fill_null(0).to_numpy()
        start = end
    return found


def _map(tables: Sequence[Mapping[str, pa.ChunkedArray]], kind: pa.DataType, name: str) -> pa.Array:
    """Of all tables, one after the other; null where a table lacks it."""
    chunks = [table[name].chunks if name in table else [pa.nulls(len(table["day"]), kind)] for table in tables]
    return pa.chunked_array([chunk for found in chunks for chunk in found], kind).combine_chunks()


def _together(arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int32)
