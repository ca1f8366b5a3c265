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
from visitgrain.metrics.sums_of_days import DayRows, Entries
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


def summed(people: People, plans: Plans, members: Membership, present: Array, known: Array) -> pa.Table:
    """One row per cell with any subject that is `present`: its names, the sums of all leaves, and how many `known`
    subjects have anything in each set of leaves that a metric stands on."""
    entries: dict[str, Entries] = {}
    for leaf, name in plans.summed.items():
        entries |= _entries(name, people.leaf(leaf), present)
    for names, flag in plans.stands.items():
        entries[flag] = _any(
            [entries[part] for name in names for part in (name, name + FRACTION) if part in entries], known
        )
    subjects = np.flatnonzero(present)
    there = np.unique(members.numbers[subjects])
    sums = {name: _added(found, members)[there] for name, found in entries.items()}
    return pa.table({**_named(members, there), **sums})


def _entries(name: str, summand: Array, present: Array) -> dict[str, Entries]:
    """Where the leaf is not 0; of doubles the whole part, and the rest."""
    if not np.issubdtype(summand.dtype, np.floating):
        return {name: Entries.of(summand).among(present)}
    rows = np.flatnonzero((summand != 0) & present)
    parts = zip((name, name + FRACTION), parts_of(summand[rows]), strict=True)
    return {part: Entries(rows, values) for part, values in parts}


def _any(entries: Sequence[Entries], subjects: Array) -> Entries:
    """1 for each of the `subjects` that is in one of `entries`."""
    found = np.zeros(len(subjects), np.bool_)
    for each in entries:
        found[each.rows[each.values != 0]] = True
    return Entries.of(found & subjects)


def _added(entries: Entries, members: Membership) -> Array:
    """Sums of all cells."""
    return sum(entries.sums(numbers, len(members.cells)) for numbers in members.numbers.T)


def observed(days: DayRows, sketch: str, within: Span, members: Membership) -> pa.Table:
    """One row per cell and bucket of a sketch: SLICE, `bucket`, and `n`, how many observations fell into it."""
    rows = np.flatnonzero(days.within(within))
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
