"""Formulas as DuckDB SQL over `wide`, one row per subscriber of one window: its bounds are constants in the text.

Sets of dates are eight UBIGINT columns of bits, dates are numbers of days. Columns: measure, or measure__key, and
__p1, __p2, .. for earlier windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from visitgrain.catalogue.atoms import Atom
from visitgrain.catalogue.expression_tree import COMPARISONS, Call, Literal, Name, Node
from visitgrain.catalogue.formulas import EVENT_COUNTS, Leaf, Outer, OuterTree, WindowDays, number, previous
from visitgrain.catalogue.metric_language import Kind
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.windows import WindowEnd

BITS, WORDS = 64, 8
MACROS = (  # a word with its lowest k bits set; shifts that let bits fall out
    "create or replace macro lowest(k) as (case when k <= 0 then 0::ubigint when k >= 64 then 18446744073709551615"
    "::ubigint else ((1::ubigint << least(greatest(k, 0), 63)) - 1)::ubigint end)",
    "create or replace macro up(w, k) as ((w & lowest(64 - k)) << k)",
)


def column(found: Atom) -> str:
    name = found.measure if found.key is None else f"{found.measure}__{found.key}"
    return f'"{name}__p{found.back}"' if found.back else f'"{name}"'


@dataclass(frozen=True)
class Formulas:
    """SQL of the metrics of `plans` in one window."""

    plans: Plans
    window: WindowEnd
    origin: int

    def metric(self, name: str) -> str:
        return self.outer(self.plans.trees[name])

    def outer(self, tree: OuterTree) -> str:
        match tree:
            case Literal(value):
                return f"{float(value)!r}"  # type: ignore[arg-type]
            case WindowDays(back):
                return f"{float(self.window.bounds(back).length)!r}"
            case Leaf():
                return f"({self.leaf(tree)})::double"
            case Outer("sqrt", (argument,)):
                return f"sqrt({self.outer(argument)})"
            case Outer("greatest", arguments):
                return _greatest([self.outer(argument) for argument in arguments])
            case Outer(function, (left, right)):
                return _arithmetic(function, self.outer(left), self.outer(right))
        raise AssertionError(tree)

    def leaf(self, leaf: Leaf) -> str:
        if leaf.kind == "sum":
            return f"coalesce({column(Atom(leaf.tree.name, leaf.key, leaf.back))}, 0)"  # type: ignore[union-attr]
        text, kind = self.value(leaf.tree, leaf.back)
        if leaf.kind == "users":
            return f"({_truth(text, kind)})::int"
        return f"coalesce({text}, 0)" if leaf.kind == "total" else f"(({text}) is not null)::int"

    def value(self, node: Node, back: int) -> tuple[str, Kind]:
        match node:
            case Literal(value):
                return f"{value!r}", "num"
            case Name(name):
                return self._name(name, back)
            case Call("prev", arguments):
                return self.value(arguments[0], back + previous(node))
            case Call(function, arguments) if function in FUNCTIONS:
                return FUNCTIONS[function](self, arguments, back)
            case Call(symbol, arguments):
                return self._operator(symbol, arguments, back)
        raise AssertionError(node)

    def number(self, node: Node, back: int) -> str:
        text, kind = self.value(node, back)
        return f"({text})::int" if kind == "bool" else text

    def holds(self, node: Node, back: int) -> str:
        return _truth(*self.value(node, back))

    def bounds(self, back: int) -> tuple[int, int]:
        return self.window.day_numbers(back)

    def keys(self, vector: Node, back: int, keys: Sequence[Node] | None = None) -> list[str]:
        assert isinstance(vector, Name)
        every = self.plans.catalogue.names.measures[vector.name].keys
        wanted = [key.value for key in keys if isinstance(key, Literal)] if keys else every
        return [f"coalesce({column(Atom(vector.name, key, back))}, 0)" for key in wanted]

    def hits(self, words: Sequence[str], first: str, last: str) -> str:
        ranges = [
            f"bit_count({word} & lowest({last} - {self.origin + place * BITS} + 1)"
            f" & xor(lowest({first} - {self.origin + place * BITS}), 18446744073709551615::ubigint))"
            for place, word in enumerate(words)
        ]
        return f"coalesce({' + '.join(ranges)}, 0)"

    def _name(self, name: str, back: int) -> tuple[str, Kind]:
        first, last = self.bounds(back)
        constants: dict[str, tuple[str, Kind]] = {
            "window_start": (str(first), "date"),
            "window_end": (str(last), "date"),
            "window_days": (str(last - first + 1), "num"),
        }
        if name in constants:
            return constants[name]
        measure = self.plans.catalogue.names.measures[name]
        if measure.snapshot:
            return column(Atom(name, None, back)), measure.kind
        if measure.kind == "num":
            return f"coalesce({column(Atom(name, None, back))}, 0)", "num"
        if back and measure.kind == "date":
            return f"if({name} <= {last}, {name}, null)", "date"
        return name, measure.kind

    def _operator(self, symbol: str, arguments: Sequence[Node], back: int) -> tuple[str, Kind]:
        if symbol in ("and", "or"):
            return f"({f' {symbol} '.join(self.holds(argument, back) for argument in arguments)})", "bool"
        if symbol == "not":
            return f"(not {self.holds(arguments[0], back)})", "bool"
        a, b = (self.number(argument, back) for argument in arguments)
        if symbol in COMPARISONS:
            return f"coalesce({a} {'=' if symbol == '==' else symbol} {b}, false)", "bool"
        return _arithmetic(symbol, a, b), "num"

    def due(self, arguments: Sequence[Node], back: int) -> tuple[str, Kind]:
        first, last = self.bounds(back)
        day = f"{self.number(arguments[0], back)} + {self.number(arguments[1], back)}"
        return f"coalesce({day} between {first} and {last}, false)", "bool"

    def isolated(self, arguments: Sequence[Node], back: int) -> tuple[str, Kind]:
        words, gap = self._words(arguments[0]), number(arguments[3])
        alone = []
        for place, word in enumerate(words):
            later = [f"({word} >> {k})" for k in range(1, gap + 1)]
            if place + 1 < WORDS:
                later += [f"up({words[place + 1]}, {BITS - k})" for k in range(1, gap + 1)]
            alone.append(f"({word} & xor({' | '.join(later)}, 18446744073709551615::ubigint))")
        return self.hits(alone, *(self.number(argument, back) for argument in arguments[1:3])), "num"

    def run(self, arguments: Sequence[Node], back: int) -> tuple[str, Kind]:
        length, within = number(arguments[1]), number(arguments[2])
        positive = [self.holds(Call(">", (arguments[0], Literal(0))), back + window) for window in range(within)]
        stretches = [f"({' and '.join(positive[start : start + length])})" for start in range(within - length + 1)]
        return f"({' or '.join(stretches)})", "bool"

    def entropy(self, arguments: Sequence[Node], back: int) -> tuple[str, Kind]:
        counts = self.keys(arguments[0], back)
        total = f"({' + '.join(counts)})::double"
        weighted = " + ".join(f"if({count} > 1, {count} * ln({count}), 0)" for count in counts)
        bits = f"(ln({total}) - ({weighted}) / ({total})) / ln({number(arguments[1])})"
        return f"case when {total} > 0 then {bits} end", "num"

    def _words(self, node: Node) -> list[str]:
        return [f"{node.name}_{place}" for place in range(WORDS)]  # type: ignore[union-attr]


def _truth(text: str, kind: Kind) -> str:
    if kind == "date":
        return f"(({text}) is not null)"
    return f"coalesce({text if kind == 'bool' else f'{text} <> 0'}, false)"


def _arithmetic(symbol: str, a: str, b: str) -> str:
    if symbol == "/":
        return f"(({a})::double / nullif({b}, 0))"
    return f"pow({a}, {b})" if symbol == "**" else f"({a} {symbol} {b})"


def _greatest(values: Sequence[str]) -> str:
    there = " and ".join(f"{value} is not null" for value in values)
    return f"case when {there} then greatest({', '.join(values)}) end"


def _added(values: Sequence[str]) -> str:
    return f"({' + '.join(values)})"


FUNCTIONS: dict[str, Callable[[Formulas, Sequence[Node], int], tuple[str, Kind]]] = {
    "n": lambda f, a, back: (f.keys(Name(EVENT_COUNTS), back, a)[0], "num"),
    "at": lambda f, a, back: (_added(f.keys(a[0], back, a[1:])), "num"),
    "vsum": lambda f, a, back: (_added(f.keys(a[0], back)), "num"),
    "n_obs": lambda f, a, back: (f.keys(a[0], back, (Literal("n"),))[0], "num"),
    "nkeys": lambda f, a, back: (_added([f"({key} > 0)::int" for key in f.keys(a[0], back)]), "num"),
    "share": lambda f, a, back: (
        _arithmetic("/", _added(f.keys(a[0], back, a[1:])), _added(f.keys(a[0], back))),
        "num",
    ),
    "entropy": Formulas.entropy,
    "due": Formulas.due,
    "hits": lambda f, a, back: (f.hits(f._words(a[0]), f.number(a[1], back), f.number(a[2], back)), "num"),
    "isolated": Formulas.isolated,
    "run": Formulas.run,
    "days": lambda f, a, back: (f"({f.number(a[1], back)} - {f.number(a[0], back)})", "num"),
    "where": lambda f, a, back: (f"case when {f.holds(a[0], back)} then {f.number(a[1], back)} end", "num"),
    "is_null": lambda f, a, back: (f"(({f.value(a[0], back)[0]}) is null)", "bool"),
    "sqrt": lambda f, a, back: (f"sqrt({f.number(a[0], back)})", "num"),
    "greatest": lambda f, a, back: (_greatest([f.number(each, back) for each in a]), "num"),
}
