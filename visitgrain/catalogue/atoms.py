"""Atoms: the numbers about one subscriber that formulas read, each a measure (or a key of it) in a window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from visitgrain.catalogue.expression_tree import Call, Literal, Name, Node, Scalar
from visitgrain.catalogue.formulas import EVENT_COUNTS, Leaf, number, previous
from visitgrain.catalogue.metric_language import WINDOW, MeasureKind


class Atom(NamedTuple):
    """`measure`, of it `key` (n = observations of a sketch), `back` windows before the current one."""

    measure: str
    key: Scalar = None
    back: int = 0


def atoms(leaves: Iterable[Leaf], measures: Mapping[str, MeasureKind]) -> set[Atom]:
    """What the leaves read. Dates and sets are read as of the current window only."""
    return {atom for leaf in leaves for atom in _of_leaf(leaf, measures)}


def _of_leaf(leaf: Leaf, measures: Mapping[str, MeasureKind]) -> Iterator[Atom]:
    if leaf.kind in ("sum", "quantile"):
        assert isinstance(leaf.tree, Name)
        yield Atom(leaf.tree.name, None if leaf.kind == "quantile" else leaf.key, leaf.back)
    else:
        yield from _of_tree(leaf.tree, leaf.back, measures)


def _of_tree(tree: Node, back: int, measures: Mapping[str, MeasureKind]) -> Iterator[Atom]:
    match tree:
        case Name(name) if name not in WINDOW:
            dated = measures[name].kind in ("date", "set") and not measures[name].snapshot
            yield Atom(name, None, 0 if dated else back)
        case Call("prev", arguments):
            yield from _of_tree(arguments[0], back + previous(tree), measures)
        case Call("run", (what, _, windows)):
            for window in range(number(windows)):
                yield from _of_tree(what, back + window, measures)
        case Call("n", (Literal(key),)):
            yield Atom(EVENT_COUNTS, key, back)
        case Call("n_obs", (Name(sketch),)):
            yield Atom(sketch, "n", back)
        case Call("vsum" | "nkeys" | "entropy" | "share", (Name(vector), *_)):
            yield from (Atom(vector, key, back) for key in measures[vector].keys)
        case Call("at", (Name(vector), *keys)):
            yield from (Atom(vector, key.value, back) for key in keys if isinstance(key, Literal))
        case Call(_, arguments):
            for argument in arguments:
                yield from _of_tree(argument, back, measures)
