"""Subscribers -> cells: the leaves of everybody in a window, slice and value, added up, one bucket at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from visitgrain.arrow.exact import FRACTION, parts_of
from visitgrain.metrics.bucket import Coded
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.slices import ALL, SLICE, UNKNOWN
from visitgrain.metrics.sums_of_days import ByKey, DayRows
from visitgrain.metrics.values import People
from visitgrain.span import Span

Array = NDArray[Any]


class Membership(NamedTuple):
    """Cells, each a value of every name in `names`; per subject the numbers of those it is in, a column per slice."""

    names: Sequence[str]
    cells: Sequence[tuple[str, ...]]
    numbers: Array


def of_attributes(attributes: Mapping[str, Coded], people: Array) -> Membership:
    """Everybody, and one cell of each attribute. `people`: per subject its subscriber."""
    cells, columns = [(ALL, ALL)], [np.zeros(len(people), np.int64)]
    for name, found in attributes.items():
        columns.append(len(cells) + found.codes[people] + 1)
        cells += [(name, value) for value in (UNKNOWN, *found.texts)]
    return Membership(SLICE, cells, np.column_stack(columns))


def of_events(slices: Coded, values: Coded) -> Membership:
    """The one cell that a slice of a subscriber is in."""
    key = slices.codes * max(len(values.texts), 1) + values.codes
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    cells = [(slices.texts[slices.codes[row]], values.texts[values.codes[row]]) for row in first]
    return Membership(SLICE, cells, number.reshape(-1, 1))


def of_strata(members: Membership, values: Coded, name: str) -> Membership:
    """Each cell once per value of `values`, which every subject has one of."""
    cells = [(value, *cell) for value in values.texts for cell in members.cells]
    return Membership((name, *members.names), cells, members.numbers + values.codes[:, None] * len(members.cells))


def summed(people: People, plans: Plans, members: Membership, rows: Array, known: Array) -> pa.Table:
    """One row per cell with any of `rows` in it: its names, the sums of all leaves, and how many `known` subjects have
    anything in each set of leaves that a metric stands on."""
    parts: dict[str, Array] = {}
    for leaf, name in plans.summed.items():
        summand = people.leaf(leaf)[rows]
        if np.issubdtype(summand.dtype, np.floating):
            parts[name], parts[name + FRACTION] = parts_of(summand)
        else:
            parts[name] = summand
    something = {name: values != 0 for name, values in parts.items()}
    for names, flag in plans.stands.items():
        columns = [something[part] for name in names for part in (name, name + FRACTION) if part in something]
        parts[flag] = np.logical_or.reduce(columns) & known[rows]
    groups = [_grouped(numbers) for numbers in members.numbers[rows].T if len(rows)]
    there = np.concatenate([np.zeros(0, np.int64), *(group.keys for group in groups)])
    return pa.table({**_named(members, there), **{name: _added(values, groups) for name, values in parts.items()}})


def _grouped(numbers: Array) -> ByKey:
    in_order = (np.diff(numbers) >= 0).all()  # as those of everybody are
    return ByKey.of(numbers, slice(None) if in_order else np.argsort(numbers, kind="stable"))


def _added(values: Array, groups: Sequence[ByKey]) -> Array:
    """Sums of the cells of all groups, one after the other."""
    return np.concatenate([np.zeros(0, np.int64), *(group.sums(values) for group in groups)])


def observed(days: DayRows, sketch: str, within: Span, members: Membership) -> pa.Table:
    """One row per cell and bucket of a sketch: SLICE, `bucket`, and `n`, how many observations fell into it."""
    rows = days.within(within)
    if sketch not in days.maps or not len(rows):
        return NOTHING
    maps = days.maps[sketch].take(pa.array(rows))
    lengths = np.diff(maps.offsets.to_numpy())
    numbers = members.numbers[np.repeat(days.subject[rows], lengths)]
    width = numbers.shape[1]
    found = pl.DataFrame(
        {
            "cell": numbers.ravel(),
            "bucket": np.repeat(maps.keys.to_numpy().astype(np.int64), width),
            "n": np.repeat(maps.items.to_numpy().astype(np.int64), width),
        }
    )
    counts = found.group_by("cell", "bucket").agg(pl.col("n").sum())
    return pa.table({**_named(members, counts["cell"].to_numpy()), "bucket": counts["bucket"], "n": counts["n"]})


NOTHING = pa.table(
    {name: pa.array([], pa.string()) for name in SLICE} | {n: pa.array([], pa.int64()) for n in ("bucket", "n")}
)


def _named(members: Membership, cells: Array) -> dict[str, list[str]]:
    return {name: [members.cells[cell][place] for cell in cells] for place, name in enumerate(members.names)}
