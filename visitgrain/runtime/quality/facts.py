"""What the gate has to know of rows: whole numbers that add up over the parts of a table. Pure functions on Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.casting import micros
from visitgrain.catalogue.quality import ROWS, Drift, Freshness, NotNull, Range, Rule, Values

Facts = dict[tuple[str, date | None], dict[str, int]]  # by table and period: fact -> number
NEWEST = "freshness:"  # facts of which the largest counts; of all others the sum
OTHER, NULL = "other", "null"


def columns_of(rules: Iterable[Rule], summed: Iterable[str]) -> list[str]:
    """What `facts_of` looks at."""
    looked_at = (NotNull, Values, Range, Freshness, Drift)
    return sorted({str(rule.column) for rule in rules if isinstance(rule.spec, looked_at)} | {*summed})


def facts_of(rows: pa.Table, rules: Iterable[Rule], summed: Iterable[str] = ()) -> dict[str, int]:
    """How many rows there are, break each rule, lie in each bucket; sums of columns; newest instants in seconds."""
    found = {ROWS: rows.num_rows}
    for column in sorted(summed):
        found[f"sum:{column}"] = pc.sum(rows[column]).as_py() or 0
    for rule in rules:
        if rule.column in rows.column_names:
            found.update(_of_rule(rule, rows[rule.column]))
    return found


def added(facts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Facts of both parts together."""
    found = dict(facts)
    for name, value in more.items():
        known = found.get(name)
        found[name] = value if known is None else max(known, value) if name.startswith(NEWEST) else known + value
    return found


def bucket_names(rule: Rule) -> list[str]:
    """Of a drift rule: what rows are counted of. Every row is in one of them."""
    assert isinstance(rule.spec, Drift)
    values, edges = _values(rule), rule.spec.edges
    if values or not edges:
        return [NULL, *values, OTHER]
    between = [f"{low:g}..{high:g}" for low, high in pairwise(edges)]
    return [NULL, f"<{edges[0]:g}", *between, f">={edges[-1]:g}"]


def _of_rule(rule: Rule, column: pa.ChunkedArray) -> Iterator[tuple[str, int]]:
    there = len(column) - column.null_count
    match rule.spec:
        case NotNull():
            yield rule.name, column.null_count
        case Values(values=values):
            yield rule.name, there - _true(pc.is_in(column, value_set=pa.array(values, pa.string())))
        case Range(low=low, high=high):  # counted by what is inside: not a number is outside
            value = column.cast(pa.float64())
            inside = pc.and_(
                pc.greater_equal(value, -np.inf if low is None else low),
                pc.less_equal(value, np.inf if high is None else high),
            )
            yield rule.name, there - _true(inside)
        case Freshness() if there:
            yield rule.name, int(pc.max(micros(column)).as_py()) // 1_000_000
        case Drift():
            counts = _bucket_counts(rule, rule.spec, column)
            yield from ((f"{rule.name}:{name}", n) for name, n in zip(bucket_names(rule), counts, strict=True))


def _bucket_counts(rule: Rule, spec: Drift, column: pa.ChunkedArray) -> list[int]:
    values, there = _values(rule), column.drop_null()
    if spec.edges and not values:
        places = np.searchsorted(np.array(spec.edges), there.to_numpy(), side="right")
        return [column.null_count, *np.bincount(places, minlength=len(spec.edges) + 1).tolist()]
    found = {pair["values"]: pair["counts"] for pair in pc.value_counts(there).to_pylist()} if values else {}
    named = [found.get(value, 0) for value in values]
    return [column.null_count, *named, len(there) - sum(named)]


def _values(rule: Rule) -> Sequence[str]:
    return rule.table.column(str(rule.column)).values


def _true(mask: pa.ChunkedArray) -> int:
    return pc.sum(mask).as_py() or 0
