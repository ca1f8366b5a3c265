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


class Entries(NamedTuple):
    """A column of whole numbers, most of which are 0: where it is another number, and which."""

    rows: Array
    values: Array

    @classmethod
    def of(cls, column: Array, start: int = 0) -> Entries:
        """`start`: the number of its first row."""
        rows = np.flatnonzero(column != 0)
        return cls(rows + start, column[rows].astype(np.int64))

    def among(self, rows: Array) -> Entries:
        """Those of the rows for which `rows` is true."""
        there = rows[self.rows]
        return self if there.all() else Entries(self.rows[there], self.values[there])

    def sums(self, number: Array, size: int) -> Array:
        """Per number its sum; `number` says which each row has."""
        total = np.zeros(size, np.int64)
        np.add.at(total, number[self.rows], self.values)
        return total


@dataclass(frozen=True)
class DayRows:
    """Rows of days, each of a subject; these are numbered from 0 to `size` - 1.

    `columns` are whole numbers; of a double its whole part, and behind FRACTION the rest. `maps` are sketches.
    """

    size: int
    subject: Array
    day: Array
    columns: Mapping[str, Entries]
    maps: Mapping[str, pa.MapArray]

    @classmethod
    def of(cls, size: int, subject: Array, tables: Sequence[pa.Table]) -> DayRows:
        """From tables of which `subject` tells the subject of each row; columns that a table lacks are 0 in it."""
        kinds = {field.name: field.type for table in tables for field in table.schema}
        plain = [name for name, kind in kinds.items() if pa.types.is_integer(kind) and name != "subscriber_id"]
        columns = [dict(zip(table.column_names, table.columns, strict=True)) for table in tables]
        maps = [name for name, kind in kinds.items() if pa.types.is_map(kind)]
        day = _together([table["day"].cast(pa.int32()).to_numpy() for table in tables])
        return cls(
            size,
            subject,
            day,
            {name: _column(columns, name) for name in plain},
            {name: _map(columns, kinds[name], name) for name in maps},
        )

    def within(self, days: Span) -> Array:
        """Per row: is it of these days?"""
        found: Array = (self.day >= day_number(days.start)) & (self.day <= day_number(days.end))
        return found

    def present(self, days: Span) -> Array:
        """Per subject: is there a row of these days?"""
        found = np.zeros(self.size, np.bool_)
        found[self.subject[self.within(days)]] = True
        return found

    def among(self, name: str, rows: Array) -> Entries:
        """Those of the column in the rows for which `rows` is true; none of a column that no table has."""
        return self.columns.get(name, NOTHING).among(rows)

    def sums(self, names: Iterable[str], days: Span) -> dict[str, Array]:
        """Per name the sum over these days of every subject; of a double as double."""
        inside = self.within(days)

        def added(name: str) -> Array:
            return self.among(name, inside).sums(self.subject, self.size)

        def number(name: str) -> Array:
            rest = f"{name}{FRACTION}"
            return whole_of(added(name), added(rest)) if rest in self.columns else added(name)

        return {name: number(name) for name in names}


NOTHING = Entries(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _column(tables: Sequence[Mapping[str, pa.ChunkedArray]], name: str) -> Entries:
    """Of all tables, one after the other. Nulls are 0, and so is what a table lacks."""
    found, start = [NOTHING], 0
    for table in tables:
        if name in table:
            found.append(Entries.of(table[name].fill_null(0).to_numpy(), start))
        start += len(table["day"])
    return Entries(*map(np.concatenate, zip(*found, strict=True)))


def _map(tables: Sequence[Mapping[str, pa.ChunkedArray]], kind: pa.DataType, name: str) -> pa.Array:
    """Of all tables, one after the other; null where a table lacks it."""
    chunks = [table[name].chunks if name in table else [pa.nulls(len(table["day"]), kind)] for table in tables]
    return pa.chunked_array([chunk for found in chunks for chunk in found], kind).combine_chunks()


def _together(arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int32)
