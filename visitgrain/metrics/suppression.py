"""Which cells of population_metrics do not leave the lake: small ones, and those from which a small one would follow.

1. A cell on fewer than k subscribers is hidden, 0 too.
2. The number for everybody is public and the cells of a slice may add up to it. So of a slice none or at least two
   cells are hidden, and the hidden ones stand together on k subscribers or more: the smallest others are hidden as
   well, all of the slice when that is not enough. In every slice: sums of events add up over channels, too.
3. Where the number for everybody is hidden, everything of that metric is: its cells would add up to it.
4. Of an identity between metrics (IDENTITIES) none or at least two are hidden in a cell.
5. Numerator and denominator are exported. A metric in which the number of a hidden one can be read is hidden there.

Each rule can call for another, so they are repeated until nothing changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from visitgrain.catalogue.expression_tree import Literal
from visitgrain.catalogue.formulas import Fraction, Leaf, Outer, OuterTree, is_linear, leaves
from visitgrain.metrics.slices import ALL

SMALL, PROTECTS = "small cell", "protects a small cell"
NUMBERS = ("value", "numerator", "denominator", "subscribers")
IDENTITIES = (
    # active = new + won back + (active in the window before - newly silent)
    frozenset({"active_users", "new_users", "win_back_users", "newly_silent_users"}),
    # the numerator of quick_ratio is the sum of the first two
    frozenset({"new_users", "win_back_users", "quick_ratio"}),
)
Row = Mapping[str, Any]


class Cell(NamedTuple):
    """Key of population_metrics."""

    metric: str
    window: str
    window_end: date
    slice: str
    slice_value: str


def cell_of(row: Row) -> Cell:
    return Cell(*(row[name] for name in Cell._fields))


def marked(rows: Iterable[Row], k: int, read_in: Mapping[str, Collection[str]]) -> list[dict[str, Any]]:
    """The rows with a column `hidden` that says why a cell is hidden, else None. Their numbers are still there.

    `rows` must be whole windows: what is hidden depends on what else is there.
    """
    known = list(rows)
    hidden = hidden_cells({cell_of(row): row["subscribers"] for row in known}, k, read_in)
    return [{**row, "hidden": hidden.get(cell_of(row))} for row in known]


def emptied(row: Row) -> dict[str, Any]:
    """A marked row as it may leave the lake: without numbers where it is hidden."""
    return {**row, **(dict.fromkeys(NUMBERS) if row["hidden"] else {})}


def hidden_cells(subscribers: Mapping[Cell, int], k: int, read_in: Mapping[str, Collection[str]]) -> dict[Cell, str]:
    """Hidden cells with the reason. `read_in`: by metric those that print its number, as of `read_in_others`."""
    return _Hiding(subscribers, k, read_in).hidden


class _Hiding:
    """The rules at work. `hidden` only grows, so they come to an end."""

    def __init__(self, subscribers: Mapping[Cell, int], k: int, read_in: Mapping[str, Collection[str]]) -> None:
        self.subscribers, self.k, self.read_in = subscribers, k, read_in
        self.metrics: dict[Any, list[Cell]] = defaultdict(list)
        self.slices: dict[Any, list[Cell]] = defaultdict(list)
        self.places: dict[Any, dict[str, Cell]] = defaultdict(dict)
        for cell in sorted(subscribers, key=lambda cell: (subscribers[cell], cell)):  # smallest first, ties by name
            self.metrics[cell[:3]].append(cell)
            self.places[cell[1:]][cell.metric] = cell
            if cell.slice != ALL:
                self.slices[cell[:4]].append(cell)
        self.hidden = {cell: SMALL for cell, number in subscribers.items() if number < k}
        for cell in list(self.hidden):
            self._follow(cell)
        # Those that others print come first: what is hidden there is hidden in the others, and completes their slices.
        order = sorted(self.slices, key=lambda key: (key[0] not in read_in, key))
        before = -1
        while before != len(self.hidden):
            before = len(self.hidden)
            for key in order:
                self._complete(self.slices[key])
            for place in self.places.values():
                self._keep_identities(place)

    def _hide(self, cell: Cell) -> None:
        if cell not in self.hidden:
            self.hidden[cell] = PROTECTS
            self._follow(cell)

    def _follow(self, cell: Cell) -> None:
        """Hide what would give this hidden cell away at once: rules 3 and 5."""
        place = self.places[cell[1:]]
        for other in self.read_in.get(cell.metric, ()):
            if other in place:
                self._hide(place[other])
        if cell.slice == ALL:
            for one in self.metrics[cell[:3]]:
                self._hide(one)

    def _complete(self, cells: Sequence[Cell]) -> None:
        """Rule 2. `cells` has the smallest first."""
        for cell in cells:
            gone = [one for one in cells if one in self.hidden]
            if not gone or (len(gone) > 1 and sum(self.subscribers[one] for one in gone) >= self.k):
                return
            self._hide(cell)

    def _keep_identities(self, place: Mapping[str, Cell]) -> None:
        """Rule 4: hide the smallest other one. An identity of which a metric is not there says nothing."""
        for identity in IDENTITIES:
            members = [cell for metric, cell in place.items() if metric in identity]
            shown = [cell for cell in members if cell not in self.hidden]
            if len(members) == len(identity) == len(shown) + 1:
                self._hide(shown[0])


def read_in_others(fractions: Mapping[str, Fraction]) -> dict[str, list[str]]:
    """By metric without a denominator: the others whose numerator and denominator, alone or combined, give its number.

    new_users is the numerator of new_user_share; active_users is the sum of both of active_user_growth.
    """
    weights = {name: [_weights(part) for part in (f.numerator, f.denominator) if part] for name, f in fractions.items()}
    counts = {name: own[0] for name, own in weights.items() if _adds_up(fractions[name]) and own[0]}
    return {
        name: [other for other, printed in weights.items() if other != name and _follows(own, printed)]
        for name, own in counts.items()
    }


def _adds_up(fraction: Fraction) -> bool:
    return is_linear(fraction.numerator) and not (fraction.denominator and any(leaves(fraction.denominator)))


def _weights(tree: OuterTree) -> dict[Leaf, float]:
    """The leaves of a linear tree with their factors; nothing of another. The days of a window count as 1: known."""
    match tree:
        case Leaf():
            return {tree: 1.0}
        case Outer("+" | "-" as sign, (left, right)) if is_linear(left) and is_linear(right):
            a, b = _weights(left), _weights(right)
            signed = 1.0 if sign == "+" else -1.0
            return {leaf: a.get(leaf, 0.0) + signed * b.get(leaf, 0.0) for leaf in {**a, **b}}
        case Outer("*" | "/" as sign, (left, right)) if is_linear(tree):
            if not any(leaves(left)):
                left, right = right, left
            constant = float(right.value) if isinstance(right, Literal) else 1.0  # type: ignore[arg-type]
            return {
                leaf: weight * constant if sign == "*" else weight / constant for leaf, weight in _weights(left).items()
            }
    return {}


def _follows(wanted: Mapping[Leaf, float], printed: Sequence[Mapping[Leaf, float]]) -> bool:
    """Is `wanted` a combination of the printed numbers?"""
    if not set(wanted) <= {leaf for row in printed for leaf in row}:
        return False
    order = sorted({leaf for row in (*printed, wanted) for leaf in row}, key=repr)
    rows = [[row.get(leaf, 0.0) for leaf in order] for row in (*printed, wanted)]
    return bool(np.linalg.matrix_rank(rows[:-1]) == np.linalg.matrix_rank(rows))
