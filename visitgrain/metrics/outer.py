"""The arithmetic of a formula over its leaves, the same for a subscriber and a population, in arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from visitgrain.catalogue.expression_tree import Literal
from visitgrain.catalogue.formulas import Leaf, Outer, OuterTree, WindowDays
from visitgrain.metrics.values import Value, calculated, greatest, root
from visitgrain.metrics.windows import WindowEnd


def outer(tree: OuterTree, leaves: Mapping[Leaf, Value], window: WindowEnd) -> Value:
    """The tree as double, null where it divides by 0 or by null."""
    match tree:
        case Literal(value):
            return Value(np.asarray(float(value)))  # type: ignore[arg-type]
        case WindowDays(back):
            return Value(np.asarray(float(window.bounds(back).length)))
        case Leaf():
            found = leaves[tree]
            return found._replace(data=found.data.astype(np.float64))
        case Outer("sqrt", (argument,)):
            return root(outer(argument, leaves, window))
        case Outer("greatest", arguments):
            return greatest([outer(argument, leaves, window) for argument in arguments])
        case Outer(function, (left, right)):
            return calculated(function, outer(left, leaves, window), outer(right, leaves, window))
    raise AssertionError(tree)
