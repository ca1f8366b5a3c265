"""When a formula has no value: what it divides by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from visitgrain.catalogue.expression_tree import Call, Literal, Name, Node
from visitgrain.catalogue.metric_language import DIALECT

NEVER_ZERO = Name("window_days")


def null_when(tree: Node, formulas: Mapping[str, Node]) -> list[Node]:
    """Trees that must not be 0 for the formula to have a value, each once; `formulas` are those of other metrics."""
    return list(dict.fromkeys(_divisors(tree, formulas)))


def _divisors(tree: Node, formulas: Mapping[str, Node]) -> Iterator[Node]:
    match tree:
        case Name(name) if name in formulas:
            yield from _divisors(formulas[name], formulas)
        case Call("mean", (argument,)):
            yield Call("users", (Call("not", (Call("is_null", (argument,)),)),))
        case Call("quantile", (sketch, _)):
            yield Call("n_obs", (sketch,))
        case Call("share", (vector, *_)):
            yield Call("vsum", (vector,))
        case Call("prev", (inner, *back)):
            yield from (Call("prev", (divisor, *back)) for divisor in _divisors(inner, formulas))
        case Call(operator, arguments) if operator in DIALECT.operators or operator in ("sqrt", "greatest"):
            for argument in arguments:
                yield from _divisors(argument, formulas)
            if operator == "/":
                yield from _factors(arguments[1])


def _factors(divisor: Node) -> Iterator[Node]:
    """What makes the divisor 0: any factor of a product, the upper part of a fraction."""
    match divisor:
        case Call("*", (left, right)):
            yield from _factors(left)
            yield from _factors(right)
        case Call("/", (upper, _)):
            yield from _factors(upper)
        case Literal():
            return
        case _ if divisor != NEVER_ZERO:
            yield divisor
