"""Outer tree -> Spark SQL over leaves: the arithmetic of a formula, the same for a subscriber and a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from visitgrain.catalogue.expression_tree import Literal
from visitgrain.catalogue.formulas import Fraction, Leaf, Outer, OuterTree, WindowDays, leaves
from visitgrain.metrics.inner import arithmetic, atom


def leaf_names(trees: Sequence[OuterTree]) -> dict[Leaf, str]:
    """A column name for each different leaf, in order of first use."""
    different = dict.fromkeys(leaf for tree in trees for leaf in leaves(tree))
    return {leaf: f"leaf_{number}" for number, leaf in enumerate(different)}


def outer(tree: OuterTree, names: Mapping[Leaf, str]) -> str:
    """The tree as double, null where it divides by 0 or by null."""
    match tree:
        case Literal(value):
            return f"{float(value)!r}D"  # type: ignore[arg-type]
        case WindowDays(back):
            return f"cast({atom('window_days', back)} as double)"
        case Leaf():
            return f"cast({names[tree]} as double)"
        case Outer("sqrt", (argument,)):
            return f"sqrt({outer(argument, names)})"
        case Outer("greatest", arguments):
            values = [outer(argument, names) for argument in arguments]
            there = " and ".join(f"{value} is not null" for value in values)
            return f"if({there}, greatest({', '.join(values)}), null)"
        case Outer(function, (left, right)):
            return arithmetic(function, outer(left, names), outer(right, names))
    raise AssertionError(tree)


def numerator_and_denominator(parts: Fraction, names: Mapping[Leaf, str]) -> tuple[str, str]:
    """Both as double; the denominator of a count is null."""
    below = "cast(null as double)" if parts.denominator is None else outer(parts.denominator, names)
    return outer(parts.numerator, names), below
