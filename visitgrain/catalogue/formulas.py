"""What follows from a formula without any data: what it reads, how far back, and the sums it is made of.

`plan` splits a formula in two: *leaves*, one number per subscriber that adds up over subscribers, and an outer tree of
arithmetic over them. A leaf of one subscriber is a column; of a population it is the sum of that column. So the value
of a subscriber and of a population come from the same leaves and the same tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal as OneOf

from visitgrain.catalogue.expression_tree import Call, ExpressionError, Literal, Name, Node, Scalar, walk
from visitgrain.catalogue.metric_language import AGGREGATES, MAX_BACK, WINDOW, MeasureKind, Names, kind_of, parsed

EVENT_COUNTS = "event_counts"


@dataclass(frozen=True)
class Leaf:
    """One summand per subscriber, `back` windows ago.

    sum: the measure `tree` names, or one key of it; users: 1 where `tree` holds; total: `tree`, null = 0; count: 1
    where `tree` has a value; quantile: the sketch `tree` names, at `key`: the one that is no sum.
    """

    kind: OneOf["sum", "users", "total", "count", "quantile"]
    tree: Node
    back: int = 0
    key: Scalar = None


@dataclass(frozen=True)
class Outer:
    """Arithmetic over leaves, window_days and numbers: `function` is an operator, sqrt or greatest."""

    function: str
    arguments: tuple[OuterTree, ...]


@dataclass(frozen=True)
class WindowDays:
    """Length of the window, `back` windows ago."""

    back: int = 0


OuterTree = Leaf | Outer | Literal | WindowDays
ONE = Literal(1)


@dataclass(frozen=True)
class Fraction:
    """value = numerator / denominator; without a denominator the value is the numerator."""

    numerator: OuterTree
    denominator: OuterTree | None = None


def checked(formula: str, names: Names) -> Node:
    """The formula as a tree, metrics and parameters still by name. Raises ExpressionError for whatever is not one."""
    tree = parsed(formula)
    kind = kind_of(tree, names)
    if kind != "num":
        raise ExpressionError(f"a formula gives a number; this one gives a {kind}; take at(v, 'k'), users(c), ..")
    numbers = inlined(tree, {}, names.parameters)
    if deepest(numbers) > MAX_BACK:
        raise ExpressionError(f"looks back {deepest(numbers)} windows; at most {MAX_BACK} are allowed")
    for name in sorted(_under_prev(numbers, 0)):
        measure = names.measures.get(name)
        if measure and (measure.newest or measure.kind == "set"):
            raise ExpressionError(f"prev() of {name}, of which only the newest state is kept; take an earlier range")
    return tree


def inlined(tree: Node, formulas: Mapping[str, Node], parameters: Mapping[str, int | float]) -> Node:
    """The tree with formulas in place of metrics and numbers in place of parameters."""
    match tree:
        case Name(name) if name in parameters:
            return Literal(parameters[name])
        case Name(name) if name in formulas:
            return inlined(formulas[name], formulas, parameters)
        case Call(function, arguments):
            return Call(function, tuple(inlined(argument, formulas, parameters) for argument in arguments))
    return tree


def depends_on(tree: Node) -> set[str]:
    """Names of the measures that the formula reads."""
    found = {node.name for node in walk(tree) if isinstance(node, Name)} - set(WINDOW)
    calls_n = any(isinstance(node, Call) and node.function == "n" for node in walk(tree))
    return found | ({EVENT_COUNTS} if calls_n else set())


def deepest(tree: Node, back: int = 0) -> int:
    """The furthest window that the formula reads: 0 = the window itself."""
    if not isinstance(tree, Call):
        return back
    if tree.function == "prev":
        return deepest(tree.arguments[0], back + previous(tree))
    if tree.function == "run":
        return deepest(tree.arguments[0], back + number(tree.arguments[2]) - 1)
    return max((deepest(argument, back) for argument in tree.arguments), default=back)


def _under_prev(tree: Node, back: int) -> set[str]:
    """Names that are read in an earlier window."""
    match tree:
        case Name(name):
            return {name} if back else set()
        case Call("prev" | "run", (inner, *_)):
            return _under_prev(inner, back + 1)
        case Call(_, arguments):
            return set().union(*(_under_prev(argument, back) for argument in arguments))
    return set()


def first_day_needed(tree: Node) -> int:
    """Days before the start of a window that the formula reads: cohorts falling due in it, `window_start - n`."""
    found = [0]
    for node in walk(tree):
        match node:
            case Call("due", (_, Literal(days))):
                found.append(int(days))  # type: ignore[arg-type]
            case Call("-", (Name("window_start"), Literal(days))):
                found.append(int(days))  # type: ignore[arg-type]
    return max(found)


def previous(call: Call) -> int:
    """k of prev(x, k)."""
    return number(call.arguments[1]) if len(call.arguments) > 1 else 1


def number(node: Node) -> int:
    assert isinstance(node, Literal), node
    return int(node.value)  # type: ignore[arg-type]


def plan(tree: Node, measures: Mapping[str, MeasureKind], back: int = 0) -> OuterTree:
    """The outer tree of an inlined formula."""
    match tree:
        case Literal():
            return tree
        case Name("window_days"):
            return WindowDays(back)
        case Name():
            return Leaf("sum", tree, back)
        case Call("prev", arguments):
            return plan(arguments[0], measures, back + previous(tree))
        case Call("n", (Literal(key),)):
            return Leaf("sum", Name(EVENT_COUNTS), back, key)
        case Call("at" | "share" | "vsum" as function, (Name(vector) as name, *keys)):
            of_keys = [Leaf("sum", name, back, key.value) for key in keys if isinstance(key, Literal)]
            of_all = [Leaf("sum", name, back, key) for key in measures[vector].keys]
            if function == "share":
                return Outer("/", (_added(of_keys), _added(of_all)))
            return _added(of_keys if function == "at" else of_all)
        case Call("n_obs", (Name(sketch),)):
            return Leaf("sum", Name(sketch), back, "n")
        case Call("mean", (inner,)):
            return Outer("/", (Leaf("total", inner, back), Leaf("count", inner, back)))
        case Call("quantile", (sketch, Literal(q))):
            return Leaf("quantile", sketch, back, q)
        case Call(function, arguments) if function in AGGREGATES:
            return Leaf(function, arguments[0], back)  # type: ignore[arg-type]
        case Call(function, arguments):
            return Outer(function, tuple(plan(argument, measures, back) for argument in arguments))
    raise AssertionError(tree)


def leaves(tree: OuterTree) -> Iterator[Leaf]:
    """The leaves of the tree, in order, repeated ones too."""
    if isinstance(tree, Leaf):
        yield tree
    elif isinstance(tree, Outer):
        for argument in tree.arguments:
            yield from leaves(argument)


def fraction(tree: OuterTree) -> Fraction:
    """Numerator and denominator of the whole formula: sums and products of fractions brought onto one."""
    if not isinstance(tree, Outer) or tree.function not in ("+", "-", "*", "/"):
        return Fraction(tree)
    a, b = (fraction(argument) for argument in tree.arguments)
    if tree.function == "/":
        if isinstance(b.numerator, Literal) and b.denominator is None:  # a unit: fen in yuan
            return Fraction(Outer("/", (a.numerator, b.numerator)), a.denominator)
        return Fraction(_times(a.numerator, b.denominator), _times(a.denominator or ONE, b.numerator))
    if tree.function == "*":
        return Fraction(_times(a.numerator, b.numerator), _times(a.denominator, b.denominator))
    if a.denominator == b.denominator:
        return Fraction(Outer(tree.function, (a.numerator, b.numerator)), a.denominator)
    crossed = (_times(a.numerator, b.denominator), _times(b.numerator, a.denominator))
    return Fraction(Outer(tree.function, crossed), _times(a.denominator, b.denominator))


def is_linear(tree: OuterTree | None) -> bool:
    """Does the tree of a set equal the sum of the trees of its parts? True of None, the denominator of a count."""
    match tree:
        case None:
            return True
        case Leaf(kind):
            return kind != "quantile"
        case Outer("+" | "-", arguments):
            return all(is_linear(argument) for argument in arguments)
        case Outer("*" | "/", (left, right)):
            constant_left = not any(leaves(left)) and tree.function == "*"
            return (is_linear(left) and not any(leaves(right))) or (constant_left and is_linear(right))
    return False


def _added(parts: list[Leaf]) -> OuterTree:
    total: OuterTree = parts[0]
    for part in parts[1:]:
        total = Outer("+", (total, part))
    return total


def _times(a: OuterTree | None, b: OuterTree | None) -> OuterTree:
    if a is None or a == ONE:
        return b or ONE
    return a if b is None or b == ONE else Outer("*", (a, b))
