"""The formula language of metrics: what exists in it, and which formulas mean something.

A formula is evaluated over a set of subscribers and a window. Bare names are sums over the set (`outer`); inside
`users(..)`, `total(..)`, `mean(..)` an expression is about one subscriber (`inner`). `kind_of` types a parsed formula
and checks where each thing may stand; nothing is ever evaluated as Python.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal as OneOf, NamedTuple

from visitgrain.catalogue.expression import parse
from visitgrain.catalogue.expression_tree import (
    COMPARISONS,
    Call,
    Dialect,
    ExpressionError,
    Function,
    Literal,
    Name,
    Node,
    Scalar,
    unknown_name,
)
from visitgrain.errors import suggestion

Kind = OneOf["num", "bool", "date", "set", "vector", "sketch"]
Level = OneOf["outer", "inner"]
MAX_BACK = 12  # windows a formula may look back
MAX_DAYS = 430  # of a date set that are kept
MAX_EXPONENT = 4

FUNCTIONS: dict[str, Function] = {
    "users": Function("users(c)", "subscribers for whom c is true, non-zero or a date: an exact distinct count"),
    "total": Function("total(e)", "sum of e over subscribers with a value"),
    "mean": Function("mean(e)", "mean of e over subscribers with a value; null without any"),
    "quantile": Function("quantile(h, 0.5)", "quantile of a sketch", 2, 2, (1,)),
    "n_obs": Function("n_obs(h)", "observations of a sketch"),
    "n": Function("n('query')", "events of a type", constants=(0,)),
    "at": Function("at(v, 'k', ..)", "sum over keys of a vector", 2, None),
    "share": Function("share(v, 'k', ..)", "at / vsum", 2, None),
    "vsum": Function("vsum(v)", "sum over all keys of a vector"),
    "nkeys": Function("nkeys(v)", "keys with a positive count"),
    "entropy": Function("entropy(v, K)", "Shannon entropy of a vector divided by ln K", 2, 2, (1,)),
    "prev": Function("prev(x) or prev(x, k)", "x in the k-th window before", 1, 2),
    "due": Function("due(d, n)", "d + n days falls inside the window", 2, 2),
    "hits": Function("hits(set, a, b)", "dates of the set from a to b, both included", 3, 3),
    "isolated": Function("isolated(set, a, b, g)", "of them those with no later date of the set within g days", 4, 4),
    "run": Function("run(active_days, L, B)", "positive in L consecutive windows within the last B windows", 3, 3),
    "days": Function("days(a, b)", "b - a in days", 2, 2),
    "where": Function("where(c, e)", "e if c, else null", 2, 2),
    "is_null": Function("is_null(x)", "true where x is missing"),
    "sqrt": Function("sqrt(x)", "square root"),
    "greatest": Function("greatest(x, y, ..)", "the greatest; null where one is missing", 2, None),
}
DIALECT = Dialect(
    FUNCTIONS,
    operators=frozenset({"+", "-", "*", "/", "**", *COMPARISONS, "and", "or", "not"}),
    noun="measure, metric or parameter",
    quoted_names=None,
)
AGGREGATES = ("users", "total", "mean", "quantile")
INNER_ONLY = ("due", "hits", "isolated", "days", "run", "where", "is_null", "nkeys", "entropy")
WINDOW: dict[str, Kind] = {"window_days": "num", "window_start": "date", "window_end": "date"}
TRUTH = ("bool", "num")


class MeasureKind(NamedTuple):
    """What formulas may do with a measure. `keys` of a vector; `snapshot`: null, not 0, where there is no row;
    `newest`: only known as of now, so not under prev."""

    kind: Kind
    keys: tuple[Scalar, ...] = ()
    snapshot: bool = False
    newest: bool = False


@dataclass(frozen=True)
class Names:
    """What the names in a formula mean."""

    measures: Mapping[str, MeasureKind]
    metrics: Collection[str]
    parameters: Mapping[str, int | float]

    @property
    def all(self) -> list[str]:
        return sorted({*self.measures, *self.metrics, *self.parameters, *WINDOW})


def parsed(formula: str) -> Node:
    """The formula as a tree. Raises ExpressionError; letters that only look like others are refused."""
    odd = next((c for c in formula if not (c.isascii() and c.isprintable())), None)
    if odd is not None:
        raise ExpressionError(f"the character {odd!a} is not allowed; formulas are plain ASCII on one line")
    return parse(formula, DIALECT)


def kind_of(tree: Node, names: Names, level: Level = "outer") -> Kind:
    """What the tree gives. Raises ExpressionError: unknown name, wrong kind, or at the wrong level."""
    match tree:
        case Literal(value):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ExpressionError(f"the constant {value!r} is no number; texts stand only as keys: at(v, 'k')")
            return "num"
        case Name(name):
            return _of_name(name, names, level)
        case Call(function, arguments):
            if function in FUNCTIONS:
                return _of_function(function, arguments, names, level)
            return _of_operator(function, arguments, names, level)
    raise ExpressionError("lists and mappings are not allowed in a formula")


def constant(node: Node, names: Names, what: str, least: float, most: float, *, whole: bool = True) -> float:
    """A number, or a parameter, that is known before any row is read. Raises ExpressionError."""
    value = node.value if isinstance(node, Literal) else names.parameters.get(getattr(node, "name", ""))
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ExpressionError(f"{what} must be a number or a parameter from {least:g} to {most:g}")
    if whole and value != int(value):
        raise ExpressionError(f"{what} must be a whole number, found {value}")
    return value


def _of_name(name: str, names: Names, level: Level) -> Kind:
    if name in WINDOW:
        return WINDOW[name]
    if name in names.parameters:
        return "num"
    if name in names.measures:
        kind = names.measures[name].kind
        if level == "outer" and kind in ("date", "set"):
            raise ExpressionError(f"{name} is a {kind} of one subscriber; it stands only inside users, total or mean")
        return kind
    if name in names.metrics:
        if level == "inner":
            raise ExpressionError(f"{name} is a metric; inside users, total and mean only measures are allowed")
        return "num"
    raise ExpressionError(unknown_name(name, names.all, DIALECT.noun))


def _of_operator(symbol: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    kinds = [kind_of(argument, names, level) for argument in arguments]
    if symbol in ("and", "or", "not", *COMPARISONS) and level == "outer":
        raise ExpressionError(f"`{symbol}` stands only inside users, total or mean: a set has no truth value")
    if symbol in ("and", "or", "not"):
        _need(kinds, TRUTH, f"`{symbol}`")
        return "bool"
    if symbol in COMPARISONS:
        if len(set(kinds)) > 1 or kinds[0] not in ("num", "date"):
            raise ExpressionError(f"`{symbol}` compares {' with '.join(kinds)}; numbers or dates with their like")
        return "bool"
    if symbol in "+-" and kinds == ["date", "num"]:
        constant(arguments[1], names, f"date {symbol} days", 0, MAX_DAYS)
        return "date"
    _need(kinds, TRUTH, f"`{symbol}`")
    if symbol == "**":
        constant(arguments[1], names, "the exponent", 0, MAX_EXPONENT)
    return "num"


def _of_function(name: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    if name in AGGREGATES and level == "inner":
        raise ExpressionError(f"{name}() inside another users, total or mean; aggregates do not nest")
    if name in INNER_ONLY and level == "outer":
        raise ExpressionError(f"{name}() is about one subscriber; it stands only inside users, total or mean")
    return _RULES[name](name, arguments, names, level)


def _need(kinds: list[Kind], allowed: Collection[str], usage: str) -> None:
    wrong = [kind for kind in kinds if kind not in allowed]
    if wrong:
        raise ExpressionError(f"{usage} takes {' or '.join(allowed)}, found {wrong[0]}")


def _typed(*wanted: Collection[str], gives: Kind) -> Callable[..., Kind]:
    """A function whose arguments are of these kinds, the last one repeated."""

    def rule(name: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
        for position, argument in enumerate(arguments):
            allowed = wanted[min(position, len(wanted) - 1)]
            _need([kind_of(argument, names, level)], allowed, f"{name}(): argument {position + 1}")
        return gives

    return rule


def _aggregate(*allowed: str) -> Callable[..., Kind]:
    def rule(name: str, arguments: tuple[Node, ...], names: Names, _: Level) -> Kind:
        _need([kind_of(arguments[0], names, "inner")], allowed, f"{name}()")
        return "num"

    return rule


def _vector(name: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    """at, share, vsum, nkeys, entropy: of a named vector, with keys that it has."""
    vector = arguments[0]
    measure = names.measures.get(vector.name) if isinstance(vector, Name) else None
    if measure is None or measure.kind != "vector":
        kind_of(vector, names, level)  # an unknown name says so
        raise ExpressionError(f"{name}() takes a measure with keys (count_by, sum_by, days_by)")
    if name == "entropy":
        constant(arguments[1], names, "entropy(): K", 2, 1_000)
        return "num"
    for key in arguments[1:]:
        value = names.parameters.get(key.name) if isinstance(key, Name) else getattr(key, "value", None)
        if isinstance(value, bool) or value not in measure.keys:
            known = [str(known) for known in measure.keys]
            hint = suggestion(str(value), known) or f"; keys: {', '.join(known)}"
            raise ExpressionError(f"{vector.name} has no key {value!r}{hint}")  # type: ignore[union-attr]
    return "num"


def _events(_: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    return _vector("at", (Name("event_counts"), *arguments), names, level)


def _quantile(name: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    constant(arguments[1], names, "quantile(): q", 0, 1, whole=False)
    return _typed(("sketch",), ("num",), gives="num")(name, arguments, names, level)


def _previous(_: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    if len(arguments) == 2:
        constant(arguments[1], names, "prev(): k", 1, MAX_BACK)
    return kind_of(arguments[0], names, level)


def _run(_: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    _need([kind_of(arguments[0], names, level)], ("num",), "run(): argument 1")
    windows = constant(arguments[2], names, "run(): B", 1, MAX_BACK)
    constant(arguments[1], names, "run(): L", 1, windows)
    return "bool"


def _isolated(name: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    constant(arguments[3], names, "isolated(): g", 1, 60)
    return _typed(("set",), ("date",), ("date",), ("num",), gives="num")(name, arguments, names, level)


def _due(name: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    constant(arguments[1], names, "due(): n", 0, MAX_DAYS)
    return _typed(("date",), ("num",), gives="bool")(name, arguments, names, level)


def _is_null(_: str, arguments: tuple[Node, ...], names: Names, level: Level) -> Kind:
    kind_of(arguments[0], names, level)
    return "bool"


_RULES: dict[str, Callable[..., Kind]] = {
    "users": _aggregate("bool", "num", "date"),
    "total": _aggregate("num"),
    "mean": _aggregate("num"),
    "quantile": _quantile,
    "n_obs": _typed(("sketch",), gives="num"),
    "n": _events,
    **dict.fromkeys(("at", "share", "vsum", "nkeys", "entropy"), _vector),
    "prev": _previous,
    "due": _due,
    "hits": _typed(("set",), ("date",), gives="num"),
    "isolated": _isolated,
    "run": _run,
    "days": _typed(("date",), gives="num"),
    "where": _typed(TRUTH, ("num",), gives="num"),
    "is_null": _is_null,
    "sqrt": _typed(("num",), gives="num"),
    "greatest": _typed(("num",), gives="num"),
}
