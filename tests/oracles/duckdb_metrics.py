"""The 157 metrics once more, as DuckDB SQL: a twin that shares no code with the product or the reference interpreter.

Written from the language of metrics.md, section 2. A formula becomes one aggregate expression, a family of metrics one
query over `wide`, one row per subscriber. Three decisions make that possible:

* `prev` and `run` only move a *lag* down the formula: a measure at lag k is a column of its own (`active_days_2`).
* The null rules of measures live in one place, where `wide` is made: a missing additive measure, vector, sketch or date
  set is empty, a missing date or snapshot stays NULL. Past that point a condition is never NULL.
* Sums, counts by key and sketch sizes are linear, so the set's value is the sum of its subscribers' values; quantiles
  are not, and merge buckets in a subquery of their own.

Numbers are DOUBLE throughout, dates are day numbers, and one thread keeps sums in one order.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import duckdb
import pyarrow as pa

WINDOW_DAYS = 30
SKETCH_BASE = 1.1  # bucket b holds values up to 1.1 ** b
ONE = ast.Constant(1)  # the k of prev(x)
SNAPSHOT_DATES = {"contract_end", "broadband_expiry"}  # the YAML gives a `last` measure no type

COUNTS = pa.map_(pa.string(), pa.float64())
# kind of a measure: the aggregates that make it, its column, what a missing one is
KINDS = {
    "number": (("count", "sum", "count_distinct"), pa.float64(), "0"),
    "snapshot": (("last",), pa.float64(), "NULL"),
    "date": (("min", "max"), pa.float64(), "NULL"),
    "dates": (("date_set",), pa.list_(pa.int64()), "[]"),
    "map": (("count_by", "count_distinct_by", "sum_by", "quantile_sketch"), COUNTS, "MAP {}"),
}
ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
COMPARISON = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "=", ast.NotEq: "<>"}

VECTOR_SUM = "COALESCE(LIST_SUM(MAP_VALUES({0})), 0)"
POSITIVE = "LIST_FILTER(MAP_VALUES({0}), LAMBDA x: x > 0)"
PART = "(y / LIST_SUM(LIST_FILTER(MAP_VALUES({0}), LAMBDA z: z > 0)))"
LATER = "LIST_FILTER({0}, LAMBDA y: y > x AND y <= x + {3})"
CONDITIONS = {"due": "COALESCE({0} + {1} BETWEEN {start} AND {end}, FALSE)", "is_null": "({0} IS NULL)"}
FUNCTIONS = CONDITIONS | {
    "vsum": VECTOR_SUM,
    "n_obs": VECTOR_SUM,
    "nkeys": f"LEN({POSITIVE})",
    "entropy": f"(-LIST_SUM(LIST_TRANSFORM({POSITIVE}, LAMBDA y: {PART} * LN({PART}))) / LN({{1}}))",
    "hits": "LEN(LIST_FILTER({0}, LAMBDA x: x BETWEEN {1} AND {2}))",
    "isolated": f"LEN(LIST_FILTER({{0}}, LAMBDA x: x BETWEEN {{1}} AND {{2}} AND LEN({LATER}) = 0))",
    "days": "({1} - {0})",
    "sqrt": "SQRT({0})",
}


class Subscriber(Protocol):
    """What is read of the reference's `Sub`: values by period and measure."""

    @property
    def v(self) -> Mapping[int, Mapping[str, Any]]: ...


@dataclass(frozen=True)
class Expression:
    """SQL of one value per subscriber; the kind tells what `users`, + and conditions make of it."""

    sql: str
    kind: str = "number"

    @property
    def number(self) -> str:
        return f"CAST({self.sql} AS INTEGER)" if self.kind == "condition" else self.sql

    @property
    def condition(self) -> str:
        tests = {"condition": self.sql, "date": f"({self.sql} IS NOT NULL)"}
        return tests.get(self.kind, f"COALESCE({self.sql} <> 0, FALSE)")


def literal(value: Any) -> str:
    """Fractions as DOUBLE: DuckDB would read 0.95 as an exact decimal and round a quantile's rank differently."""
    return f"CAST('{value!r}' AS DOUBLE)" if isinstance(value, float) else str(value)


def arithmetic(operator: ast.operator, left: str, right: str) -> str:
    right = f"NULLIF({right}, 0)" if isinstance(operator, ast.Div) else right
    return f"({left} {ARITHMETIC[type(operator)]} {right})"


def joined(word: str, conditions: Sequence[str]) -> str:
    return f"({f' {word} '.join(conditions)})"


def summed(sql: str) -> str:
    """An empty population is one row without a subscriber, hence the filter and the zero."""
    return f"COALESCE(SUM({sql}) FILTER (WHERE subscriber IS NOT NULL), 0)"


class Translator:
    """Formulas to SQL over `wide`; collects on the way the columns they read."""

    def __init__(self, document: Mapping[str, Any], period: int) -> None:
        self.period = period
        self.formulas = {metric["id"]: ast.parse(metric["formula"], mode="eval").body for metric in document["metrics"]}
        self.parameters = {name: parameter["value"] for name, parameter in document["params"].items()}
        self.parameters["window_days"] = WINDOW_DAYS
        kind_of = {aggregate: kind for kind, (aggregates, *_) in KINDS.items() for aggregate in aggregates}
        self.kinds = {measure["id"]: kind_of[measure["agg"]] for measure in document["measures"]}
        self.kinds |= dict.fromkeys(SNAPSHOT_DATES & self.kinds.keys(), "date")
        self.columns: set[tuple[str, int]] = set()  # measure, lag in windows

    def wide(self) -> str:
        cells = ["lag0.population", "lag0.subscriber"]
        for name, lag in sorted(self.columns):
            cells.append(f"COALESCE(lag{lag}.{name}, {KINDS[self.kinds[name]][2]}) AS {name}_{lag}")
        windows = [
            f"LEFT JOIN fact AS lag{k} ON lag{k}.subscriber = lag0.subscriber AND lag{k}.period = {self.period - k}"
            for k in sorted({lag for _, lag in self.columns} - {0})
        ]
        return f"SELECT {', '.join(cells)} FROM fact AS lag0 {' '.join(windows)} WHERE lag0.period = {self.period}"

    def of_set(self, node: ast.expr, lag: int = 0) -> str:
        """Outside: one value per set of subscribers; a metric's name stands for its formula in parentheses."""
        match node:
            case ast.Name(id=name) if name in self.formulas:
                return f"({self.of_set(self.formulas[name], lag)})"
            case ast.Constant() | ast.Name() if ast.unparse(node) not in self.kinds:
                return self.of_one(node, lag).number
            case ast.Name() | ast.Call(func=ast.Name(id="at" | "vsum" | "n" | "n_obs")):
                return summed(self.of_one(node, lag).number)
            case ast.BinOp(left=left, op=operator, right=right):
                return arithmetic(operator, self.of_set(left, lag), self.of_set(right, lag))
            case ast.Call(func=ast.Name(id="prev"), args=[inner, *windows]):
                return self.of_set(inner, lag + self.constant(windows[0] if windows else ONE))
            case ast.Call(func=ast.Name(id="users"), args=[inner]):
                return f"COUNT(*) FILTER (WHERE subscriber IS NOT NULL AND {self.of_one(inner, lag).condition})"
            case ast.Call(func=ast.Name(id="total"), args=[inner]):
                return summed(self.of_one(inner, lag).number)
            case ast.Call(func=ast.Name(id="mean"), args=[inner]):
                return f"AVG({self.of_one(inner, lag).number}) FILTER (WHERE subscriber IS NOT NULL)"
            case ast.Call(func=ast.Name(id="quantile"), args=[sketch, rank]):
                return self.quantile(self.of_one(sketch, lag).sql, self.constant(rank))
            case ast.Call(func=ast.Name(id="share"), args=[vector, *keys]):
                values = self.of_one(vector, lag).sql
                return arithmetic(ast.Div(), summed(self.at(values, keys)), summed(VECTOR_SUM.format(values)))
        raise ValueError(f"not in the language, outside: {ast.unparse(node)}")

    def quantile(self, sketch: str, rank: float) -> str:
        entries = f"UNNEST(CAST(MAP_KEYS({sketch}) AS BIGINT[])) AS b, UNNEST(MAP_VALUES({sketch})) AS n"
        ranked = (
            "SELECT population, b, SUM(SUM(n)) OVER (PARTITION BY population ORDER BY b) AS up_to, "
            "SUM(SUM(n)) OVER (PARTITION BY population) AS observations "
            f"FROM (SELECT population, {entries} FROM wide) GROUP BY population, b"
        )
        return (
            f"(SELECT POW({literal(SKETCH_BASE)}, MIN(b)) FROM ({ranked}) AS ranked WHERE "
            f"ranked.population = wide.population AND observations > 0 AND up_to >= {literal(rank)} * observations)"
        )

    def of_one(self, node: ast.expr, lag: int) -> Expression:
        """Inside: one value per subscriber."""
        match node:
            case ast.Constant(value=value):
                return Expression(literal(value))
            case ast.Name(id=name):
                return self.named(name, lag)
            case ast.BinOp(left=left, op=operator, right=right):
                first, second = self.of_one(left, lag), self.of_one(right, lag)
                kind = "date" if first.kind == "date" else "number"
                return Expression(arithmetic(operator, first.number, second.number), kind)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Expression(f"(NOT {self.of_one(operand, lag).condition})", "condition")
            case ast.BoolOp(op=connective, values=operands):
                word, tests = type(connective).__name__, [self.of_one(operand, lag).condition for operand in operands]
                return Expression(joined(word, tests), "condition")
            case ast.Compare(left=left, ops=signs, comparators=others):
                sides = [self.of_one(side, lag).number for side in (left, *others)]
                pairs = zip(sides, signs, sides[1:], strict=False)
                tests = [f"COALESCE({a} {COMPARISON[type(sign)]} {b}, FALSE)" for a, sign, b in pairs]
                return Expression(joined("AND", tests), "condition")
            case ast.Call(func=ast.Name(id="prev"), args=[inner, *windows]):
                return self.of_one(inner, lag + self.constant(windows[0] if windows else ONE))
            case ast.Call(func=ast.Name(id="run"), args=[value, length, back]):
                return self.run(value, self.constant(length), self.constant(back), lag)
            case ast.Call(func=ast.Name(id="where"), args=[condition, value]):
                test, then = self.of_one(condition, lag).condition, self.of_one(value, lag).number
                return Expression(f"(CASE WHEN {test} THEN {then} END)")
            case ast.Call(func=ast.Name(id="n"), args=keys):
                return Expression(self.at(self.named("event_counts", lag).sql, keys))
            case ast.Call(func=ast.Name(id="at" | "share" as function), args=[vector, *keys]):
                values = self.of_one(vector, lag).sql
                at = self.at(values, keys)
                return Expression(at if function == "at" else arithmetic(ast.Div(), at, VECTOR_SUM.format(values)))
            case ast.Call(func=ast.Name(id="greatest"), args=operands):  # DuckDB's skips nulls
                numbers = [self.of_one(operand, lag).number for operand in operands]
                null = joined("OR", [f"{number} IS NULL" for number in numbers])
                return Expression(f"(CASE WHEN NOT {null} THEN GREATEST({', '.join(numbers)}) END)")
            case ast.Call(func=ast.Name(id=function), args=operands) if function in FUNCTIONS:
                numbers = [self.of_one(operand, lag).number for operand in operands]
                window = {"start": self.named("window_start", lag).sql, "end": self.named("window_end", lag).sql}
                kind = "condition" if function in CONDITIONS else "number"
                return Expression(FUNCTIONS[function].format(*numbers, **window), kind)
        raise ValueError(f"not in the language, inside: {ast.unparse(node)}")

    def named(self, name: str, lag: int) -> Expression:
        start = (self.period - lag) * WINDOW_DAYS
        if name in {"window_start", "window_end"}:
            return Expression(str(start if name == "window_start" else start + WINDOW_DAYS - 1), "date")
        if name in self.parameters:
            return Expression(literal(self.parameters[name]))
        self.columns.add((name, lag))
        return Expression(f"{name}_{lag}", self.kinds[name])

    def at(self, vector: str, keys: Sequence[ast.expr]) -> str:
        found = [f"COALESCE(MAP_EXTRACT_VALUE({vector}, '{self.constant(key)}'), 0)" for key in keys]
        return f"({' + '.join(found)})"

    def run(self, value: ast.expr, length: int, back: int, lag: int) -> Expression:
        """Any of the unbroken runs that fit between the current window and the last one looked back to."""
        positive = [f"COALESCE({self.of_one(value, lag + i).number} > 0, FALSE)" for i in range(back)]
        runs = [joined("AND", positive[i : i + length]) for i in range(back - length + 1)]
        return Expression(joined("OR", [*runs, "FALSE"]), "condition")

    def constant(self, node: ast.expr) -> Any:
        """A key, a number of windows or a rank: written out, or a parameter."""
        return self.parameters[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)


def arrow_value(value: Any) -> Any:
    """Keys as text: hours and buckets come as numbers or as text."""
    return [(str(key), count) for key, count in value.items()] if isinstance(value, Mapping) else value


def fact(translator: Translator, populations: Mapping[str, Sequence[Subscriber]]) -> pa.Table:
    """A row per subscriber and window read; one without a subscriber keeps an empty population in the result."""
    read: dict[int, list[str]] = {0: []}
    for name, lag in sorted(translator.columns):
        read.setdefault(lag, []).append(name)
    rows: list[dict[str, Any]] = []
    for population, subscribers in populations.items():
        rows += [] if subscribers else [{"population": population, "period": translator.period}]
        for subscriber in subscribers:
            key = len(rows)
            for lag, names in read.items():
                values = subscriber.v.get(translator.period - lag, {})
                cells = {name: arrow_value(values.get(name)) for name in names}
                rows.append({"population": population, "subscriber": key, "period": translator.period - lag, **cells})
    types = {"population": pa.string(), "subscriber": pa.int64(), "period": pa.int64()}
    types |= {name: KINDS[translator.kinds[name]][1] for name, _ in sorted(translator.columns)}
    return pa.Table.from_pylist(rows, pa.schema(types))


def duckdb_values(
    document: Mapping[str, Any],
    populations: Mapping[str, Sequence[Subscriber]],
    period: int,
    metrics: Collection[str] | None = None,
) -> dict[tuple[str, str], float | None]:
    """Population-grain values of all (or the named) metrics, keyed by population and metric."""
    translator = Translator(document, period)
    families: dict[str, dict[str, str]] = {}
    for metric in document["metrics"]:
        if metrics is None or metric["id"] in metrics:
            formula = translator.of_set(translator.formulas[metric["id"]])
            families.setdefault(metric["family"], {})[metric["id"]] = f"CAST({formula} AS DOUBLE)"
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("fact", fact(translator, populations))
        connection.execute(f"CREATE TABLE wide AS {translator.wide()}")
        return {
            (population, metric): value
            for family in families.values()
            for population, *row in connection.execute(
                f"SELECT population, {', '.join(family.values())} FROM wide GROUP BY population"
            ).fetchall()
            for metric, value in zip(family, row, strict=True)
        }
