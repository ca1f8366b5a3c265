"""Formula -> Spark SQL, about one subscriber: what stands inside users(..), total(..) and mean(..).

The text is made of checked trees alone, never of what somebody wrote; text rather than Column objects because a wide
table takes tens of thousands of calls into the JVM otherwise. The rows have one column per measure, key and window
before (`atom`), the bounds of the windows, and sets of dates as words. A measure without rows is 0, a snapshot or date
without rows null; a comparison with null is false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from visitgrain.catalogue.expression_tree import COMPARISONS, Call, Literal, Name, Node, Scalar
from visitgrain.catalogue.formulas import EVENT_COUNTS, Leaf, number, previous
from visitgrain.catalogue.metric_language import MAX_DAYS, WINDOW, Kind, MeasureKind
from visitgrain.metrics import date_sets

ORIGIN = "origin"  # day number of the first bit of every set in the row
LONGEST_WINDOW = 92
SYMBOLS = {"==": "=", "!=": "<>"}
Sql = tuple[str, Kind]


def atom(column: str, back: int = 0, key: Scalar = None) -> str:
    """Column of a measure (or one of its keys) `back` windows ago: visits_by_hour__7__p1."""
    name = column if key is None else f"{column}__{key}"
    return f"{name}__p{back}" if back else name


def arithmetic(symbol: str, a: str, b: str) -> str:
    """Numbers combined; a division by 0 or by null is null."""
    match symbol:
        case "/":
            return f"try_divide(cast({a} as double), cast({b} as double))"
        case "**":
            return f"pow({a}, {b})"
    return f"({a} {symbol} {b})"


def literal(value: Scalar) -> str:
    return f"{value!r}D" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Inner:
    """Compiles the expressions of a catalogue's measures."""

    measures: Mapping[str, MeasureKind]

    def leaf(self, leaf: Leaf) -> str:
        """The summand of one subscriber: never null."""
        if leaf.kind == "sum":
            assert isinstance(leaf.tree, Name)
            return f"coalesce({atom(leaf.tree.name, leaf.back, leaf.key)}, 0)"
        value, kind = self.sql(leaf.tree, leaf.back)
        match leaf.kind:
            case "users":
                return f"cast({self.truth(value, kind)} as bigint)"
            case "total":
                return f"coalesce({value}, 0)"
            case "count":
                return f"cast({value} is not null as bigint)"
        raise AssertionError(f"{leaf.kind} is no sum over subscribers")

    def truth(self, value: str, kind: Kind) -> str:
        """Never null: null is false; a date is true where it is there."""
        if kind == "date":
            return f"({value} is not null)"
        return f"coalesce({value if kind == 'bool' else f'{value} <> 0'}, false)"

    def sql(self, node: Node, back: int) -> Sql:
        """The node `back` windows ago, and its kind."""
        match node:
            case Literal(value):
                return literal(value), "num"
            case Name(name):
                return self._name(name, back)
            case Call(function, arguments) if function in FUNCTIONS:
                return FUNCTIONS[function](self, arguments, back)
            case Call("prev", arguments):
                return self.sql(arguments[0], back + previous(node))
            case Call(function, arguments):
                return self._operator(function, arguments, back)
        raise AssertionError(node)

    def number(self, node: Node, back: int) -> str:
        value, kind = self.sql(node, back)
        return f"cast({value} as bigint)" if kind == "bool" else value

    def date(self, node: Node, back: int) -> str:
        """A date as the number of its day."""
        return f"unix_date({self.sql(node, back)[0]})"

    def holds(self, node: Node, back: int) -> str:
        return self.truth(*self.sql(node, back))

    def keys(self, vector: Node, back: int, keys: Sequence[Node] | None = None) -> list[str]:
        """Counts of the keys of a vector; of all of them by default."""
        assert isinstance(vector, Name)
        wanted = [key.value for key in keys if isinstance(key, Literal)] if keys else self.measures[vector.name].keys
        return [f"coalesce({atom(vector.name, back, key)}, 0)" for key in wanted]

    def _name(self, name: str, back: int) -> Sql:
        if name in WINDOW:
            return atom(name, back), WINDOW[name]
        measure = self.measures[name]
        if measure.snapshot:
            return atom(name, back), measure.kind
        if measure.kind == "num":
            return f"coalesce({atom(name, back)}, 0)", "num"
        if back and measure.kind == "date":  # a first date is known from that day on
            return f"if({name} <= {atom('window_end', back)}, {name}, null)", "date"
        return name, measure.kind

    def _operator(self, symbol: str, arguments: Sequence[Node], back: int) -> Sql:
        if symbol in ("and", "or"):
            return f"({f' {symbol} '.join(self.holds(argument, back) for argument in arguments)})", "bool"
        if symbol == "not":
            return f"(not {self.holds(arguments[0], back)})", "bool"
        if symbol in COMPARISONS:
            a, b = (self.sql(argument, back)[0] for argument in arguments)
            return f"coalesce({a} {SYMBOLS.get(symbol, symbol)} {b}, false)", "bool"
        left, kind = self.sql(arguments[0], back)
        right = self.number(arguments[1], back)
        if kind == "date":
            return f"date_add({left}, cast({'-' if symbol == '-' else ''}{right} as int))", "date"
        return arithmetic(symbol, self.number(arguments[0], back), right), "num"


def _due(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    day = f"{inner.date(arguments[0], back)} + {inner.number(arguments[1], back)}"
    start, end = (f"unix_date({atom(name, back)})" for name in ("window_start", "window_end"))
    return f"coalesce({day} between {start} and {end}, false)", "bool"


def _hits(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    days, first, last = arguments
    bounds = inner.date(first, back), inner.date(last, back)
    return date_sets.hits(inner.sql(days, back)[0], ORIGIN, *bounds, most=_longest(first, last)), "num"


def _isolated(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    days, first, last, gap = arguments
    bounds, words = (inner.date(first, back), inner.date(last, back)), inner.sql(days, back)[0]
    return date_sets.isolated(words, ORIGIN, *bounds, gap=number(gap), most=_longest(first, last)), "num"


def _longest(first: Node, last: Node) -> int:
    """Days of the longest range that both bounds can make."""
    (base, start), (other, end) = _shifted(first), _shifted(last)
    if base == other:
        return end - start + 1
    if {base, other} <= {Name("window_start"), Name("window_end")}:
        return LONGEST_WINDOW + abs(end - start)
    return MAX_DAYS


def _shifted(node: Node) -> tuple[Node, int]:
    match node:
        case Call("+", (base, Literal(days))):
            return base, int(days)  # type: ignore[arg-type]
        case Call("-", (base, Literal(days))):
            return base, -int(days)  # type: ignore[arg-type]
    return node, 0


def _run(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    """Positive in `length` consecutive windows: some stretch of them, all positive."""
    length, within = number(arguments[1]), number(arguments[2])
    positive = [inner.holds(Call(">", (arguments[0], Literal(0))), back + window) for window in range(within)]
    stretches = [f"({' and '.join(positive[start : start + length])})" for start in range(within - length + 1)]
    return f"({' or '.join(stretches)})", "bool"


def _entropy(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    """-sum(p ln p) / ln K with p = x / t: as ln t - sum(x ln x) / t, which needs each count once."""
    counts = inner.keys(arguments[0], back)
    total = f"cast({' + '.join(counts)} as double)"
    weighted = " + ".join(f"if({count} > 1, {count} * ln({count}), 0D)" for count in counts)
    bits = f"(ln({total}) - ({weighted}) / {total}) / ln({literal(float(number(arguments[1])))})"
    return f"if({total} > 0, {bits}, null)", "num"


def _where(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    return f"if({inner.holds(arguments[0], back)}, {inner.number(arguments[1], back)}, null)", "num"


def _greatest(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    values = [inner.number(argument, back) for argument in arguments]
    there = " and ".join(f"{value} is not null" for value in values)
    return f"if({there}, greatest({', '.join(values)}), null)", "num"


def _days(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    first, last = (inner.date(argument, back) for argument in arguments)
    return f"({last} - {first})", "num"


def _share(inner: Inner, arguments: Sequence[Node], back: int) -> Sql:
    some, every = inner.keys(arguments[0], back, arguments[1:]), inner.keys(arguments[0], back)
    return arithmetic("/", added(some), added(every)), "num"


def added(values: Sequence[str]) -> str:
    return f"({' + '.join(values)})"


FUNCTIONS: dict[str, Callable[[Inner, Sequence[Node], int], Sql]] = {
    "n": lambda inner, a, back: (inner.keys(Name(EVENT_COUNTS), back, a)[0], "num"),
    "at": lambda inner, a, back: (added(inner.keys(a[0], back, a[1:])), "num"),
    "vsum": lambda inner, a, back: (added(inner.keys(a[0], back)), "num"),
    "n_obs": lambda inner, a, back: (inner.keys(a[0], back, (Literal("n"),))[0], "num"),
    "nkeys": lambda inner, a, back: (added([f"int({key} > 0)" for key in inner.keys(a[0], back)]), "num"),
    "share": _share,
    "entropy": _entropy,
    "due": _due,
    "hits": _hits,
    "isolated": _isolated,
    "run": _run,
    "days": _days,
    "where": _where,
    "is_null": lambda inner, a, back: (f"({inner.sql(a[0], back)[0]} is null)", "bool"),
    "sqrt": lambda inner, a, back: (f"sqrt({inner.number(a[0], back)})", "num"),
    "greatest": _greatest,
}
