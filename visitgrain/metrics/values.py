"""What stands inside users(..), total(..) and mean(..), evaluated for many subscribers at once, in arrays.

A measure without rows is 0, a snapshot or date without rows null; a comparison with null is false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visitgrain.catalogue.atoms import Atom
from visitgrain.catalogue.expression_tree import COMPARISONS, Call, Literal, Name, Node, Scalar
from visitgrain.catalogue.formulas import EVENT_COUNTS, Leaf, number, previous
from visitgrain.catalogue.metric_language import WINDOW, Kind, MeasureKind
from visitgrain.metrics import date_sets
from visitgrain.metrics.windows import WindowEnd

Array = NDArray[Any]
There = NDArray[np.bool_] | None  # None = everywhere


class Value(NamedTuple):
    """A number, truth, date (number of its day) or set of dates per subscriber, or one for all; `there`: not null."""

    data: Array
    there: There = None
    kind: Kind = "num"

    def of_all(self, size: int) -> tuple[Array, Array]:
        """Data and `there` of each of `size` subscribers."""
        there = np.asarray(True) if self.there is None else self.there
        return np.broadcast_to(self.data, size), np.broadcast_to(there, size)


@dataclass(frozen=True)
class People:
    """Subscribers in one window, and what formulas read of them. Of sets of dates `origin` is the first bit's day."""

    size: int
    window: WindowEnd
    atoms: Mapping[Atom, Value]
    measures: Mapping[str, MeasureKind]
    origin: int

    def leaf(self, leaf: Leaf) -> Array:
        """The summand of each in `leaf`: never null."""
        if leaf.kind == "sum":
            assert isinstance(leaf.tree, Name)
            found = self.atoms[Atom(leaf.tree.name, leaf.key, leaf.back)]
        else:
            found = self.value(leaf.tree, leaf.back)
        match leaf.kind:
            case "sum" | "total":
                summand = filled(found)
            case "users":
                summand = truth(found).astype(np.int64)
            case "count":
                summand = found.of_all(self.size)[1].astype(np.int64)
            case _:
                raise AssertionError(f"{leaf.kind} is no sum over subscribers")
        return np.broadcast_to(summand, (self.size,))

    def value(self, node: Node, back: int) -> Value:
        """The node `back` windows ago."""
        match node:
            case Literal(value):
                return Value(np.asarray(value))
            case Name(name):
                return self._name(name, back)
            case Call(function, arguments) if function in FUNCTIONS:
                return FUNCTIONS[function](self, arguments, back)
            case Call("prev", arguments):
                return self.value(arguments[0], back + previous(node))
            case Call(function, arguments):
                return self._operator(function, arguments, back)
        raise AssertionError(node)

    def holds(self, node: Node, back: int) -> Array:
        return truth(self.value(node, back))

    def bounds(self, back: int) -> tuple[int, int]:
        """First and last day of the window."""
        return self.window.day_numbers(back)

    def keys(self, vector: Node, back: int, keys: Sequence[Node] | None = None) -> list[Array]:
        """Counts of the keys of a vector; of all of them by default."""
        assert isinstance(vector, Name)
        wanted = [key.value for key in keys if isinstance(key, Literal)] if keys else self.measures[vector.name].keys
        return [self._count(vector.name, key, back) for key in wanted]

    def _count(self, vector: str, key: Scalar, back: int) -> Array:
        return filled(self.atoms[Atom(vector, key, back)])

    def _name(self, name: str, back: int) -> Value:
        if name in WINDOW:
            first, last = self.bounds(back)
            found = {"window_start": first, "window_end": last, "window_days": last - first + 1}[name]
            return Value(np.asarray(found), None, WINDOW[name])
        measure = self.measures[name]
        if measure.snapshot or measure.kind == "num":
            return self.atoms[Atom(name, None, back)]
        found = self.atoms[Atom(name)]
        if back and measure.kind == "date":  # a first date is known from that day on
            return found._replace(there=both(found.there, found.data <= self.bounds(back)[1]))
        return found

    def _operator(self, symbol: str, arguments: Sequence[Node], back: int) -> Value:
        if symbol in LOGIC:
            return Value(reduce(LOGIC[symbol], (self.holds(argument, back) for argument in arguments)), None, "bool")
        if symbol == "not":
            return Value(~self.holds(arguments[0], back), None, "bool")
        a, b = (self.value(argument, back) for argument in arguments)
        there = both(a.there, b.there)
        if symbol in COMPARISONS:
            return Value(both(there, COMPARED[symbol](a.data, b.data)), None, "bool")  # type: ignore[arg-type]
        return calculated(symbol, a, b)


def calculated(symbol: str, a: Value, b: Value) -> Value:
    """Numbers combined, or a date moved by days; a division by 0 or by null is null."""
    x, y, there = numeric(a), numeric(b), both(a.there, b.there)
    match symbol:
        case "+":
            return Value(x + y, there, a.kind if a.kind == "date" else "num")
        case "-":
            return Value(x - y, there, a.kind if a.kind == "date" else "num")
        case "*":
            return Value(x * y, there)
        case "**":
            return Value(np.power(x.astype(np.float64), y.astype(np.float64)), there)
        case "/":
            some = np.asarray(y != 0)
            return Value(np.divide(x, np.where(some, y, 1), dtype=np.float64), both(there, some))
    raise AssertionError(symbol)


def both(a: There, b: There) -> There:
    if a is None or b is None:
        return b if a is None else a
    return a & b


def numeric(value: Value) -> Array:
    """A truth as 0 or 1."""
    return value.data.astype(np.int64) if value.data.dtype == np.bool_ else value.data


def filled(value: Value) -> Array:
    """The number, 0 for null."""
    found = numeric(value)
    return found if value.there is None else np.where(value.there, found, found.dtype.type(0))


def truth(value: Value) -> Array:
    """Null is false; a date is true where it is there."""
    if value.kind == "date":
        return value.of_all(value.data.size)[1]
    return np.asarray(both(value.there, value.data != 0))


LOGIC: dict[str, Callable[[Array, Array], Array]] = {"and": np.logical_and, "or": np.logical_or}
COMPARED: dict[str, Callable[[Array, Array], Array]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def _due(people: People, arguments: Sequence[Node], back: int) -> Value:
    day = people.value(arguments[0], back)
    first, last = people.bounds(back)
    due = day.data + numeric(people.value(arguments[1], back))
    return Value(np.asarray(both(day.there, (first <= due) & (due <= last))), None, "bool")


def _hits(people: People, arguments: Sequence[Node], back: int) -> Value:
    days, first, last = (people.value(argument, back) for argument in arguments)
    return Value(date_sets.hits(days.data, *_places(people, first, last)))


def _isolated(people: People, arguments: Sequence[Node], back: int) -> Value:
    days, first, last = (people.value(argument, back) for argument in arguments[:3])
    followed = date_sets.followed(days.data, within=number(arguments[3]))
    return Value(date_sets.hits(days.data & ~followed, *_places(people, first, last)))


def _places(people: People, first: Value, last: Value) -> tuple[Array, Array]:
    """Bits from the first to the last day; none where one of them is null."""
    there = both(first.there, last.there)
    start, end = first.data - people.origin, last.data - people.origin
    return (start, end) if there is None else (start, np.where(there, end, start - 1))


def _run(people: People, arguments: Sequence[Node], back: int) -> Value:
    """Positive in `length` consecutive windows: some stretch of them, all positive."""
    length, within = number(arguments[1]), number(arguments[2])
    positive = [people.holds(Call(">", (arguments[0], Literal(0))), back + window) for window in range(within)]
    stretches = [reduce(np.logical_and, positive[start : start + length]) for start in range(within - length + 1)]
    return Value(reduce(np.logical_or, stretches), None, "bool")


def _entropy(people: People, arguments: Sequence[Node], back: int) -> Value:
    """-sum(p ln p) / ln K with p = x / t: as ln t - sum(x ln x) / t, which needs each count once."""
    counts = people.keys(arguments[0], back)
    total = added(counts).astype(np.float64)
    some = total > 0
    safe = np.where(some, total, 1.0)
    weighted = added([count * np.log(np.maximum(count, 1)) for count in counts])
    return Value((np.log(safe) - weighted / safe) / np.log(number(arguments[1])), some)


def _where(people: People, arguments: Sequence[Node], back: int) -> Value:
    value = people.value(arguments[1], back)
    return Value(numeric(value), both(people.holds(arguments[0], back), value.there))


def _greatest(people: People, arguments: Sequence[Node], back: int) -> Value:
    return greatest([people.value(argument, back) for argument in arguments])


def greatest(values: Sequence[Value]) -> Value:
    """Null where one is missing."""
    return Value(reduce(np.maximum, map(numeric, values)), reduce(both, (value.there for value in values)))


def root(value: Value) -> Value:
    return Value(np.sqrt(numeric(value).astype(np.float64)), value.there)


def _days(people: People, arguments: Sequence[Node], back: int) -> Value:
    first, last = (people.value(argument, back) for argument in arguments)
    return Value(last.data - first.data, both(first.there, last.there))


def _share(people: People, arguments: Sequence[Node], back: int) -> Value:
    some, every = people.keys(arguments[0], back, arguments[1:]), people.keys(arguments[0], back)
    return calculated("/", Value(added(some)), Value(added(every)))


def _is_null(people: People, arguments: Sequence[Node], back: int) -> Value:
    return Value(~people.value(arguments[0], back).of_all(people.size)[1], None, "bool")


def added(values: Sequence[Array]) -> Array:
    return reduce(np.add, values)


FUNCTIONS: dict[str, Callable[[People, Sequence[Node], int], Value]] = {
    "n": lambda people, a, back: Value(people.keys(Name(EVENT_COUNTS), back, a)[0]),
    "at": lambda people, a, back: Value(added(people.keys(a[0], back, a[1:]))),
    "vsum": lambda people, a, back: Value(added(people.keys(a[0], back))),
    "n_obs": lambda people, a, back: Value(people.keys(a[0], back, (Literal("n"),))[0]),
    "nkeys": lambda people, a, back: Value(added([(count > 0).astype(np.int64) for count in people.keys(a[0], back)])),
    "share": _share,
    "entropy": _entropy,
    "due": _due,
    "hits": _hits,
    "isolated": _isolated,
    "run": _run,
    "days": _days,
    "where": _where,
    "is_null": _is_null,
    "sqrt": lambda people, a, back: root(people.value(a[0], back)),
    "greatest": _greatest,
}
