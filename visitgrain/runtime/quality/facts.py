"""What the gate has to know of a table's rows: whole numbers by period, all tables in one Spark job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import reduce
from itertools import pairwise

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.quality import Drift, Freshness, NotNull, Range, Rule, Values
from visitgrain.tables import Table

Facts = dict[tuple[str, date | None], dict[str, int]]  # by table and period: fact -> number
OTHER, NULL = "other", "null"


def facts_of(rows: DataFrame, table: Table, rules: Sequence[Rule], summed: Iterable[str] = ()) -> DataFrame:
    """One row per period of `rows`: table_name, period, facts. Two shuffles, of small aggregates and of keys alone."""
    wide = {"rows": F.count("*"), **_sums(summed)}
    for rule in rules:
        wide |= _wide(rule)
    period = F.col(table.partition) if table.partition else F.lit(None).cast("date")
    counted = rows.groupBy(period.alias("period")).agg(*[value.alias(name) for name, value in wide.items()])
    found = _as_facts(counted, table, list(wide))
    return found.unionByName(_repeated(rows, table, period)) if any(r.kind == "key" for r in rules) else found


def orphans_of(rows: DataFrame, rule: Rule, parents: DataFrame, column: str) -> DataFrame:
    """As `facts_of`: rows whose value is not null and not in `column` of `parents`."""
    table, name = rule.table, str(rule.column)
    period = F.col(table.partition) if table.partition else F.lit(None).cast("date")
    found = rows.select(period.alias("period"), F.col(name).alias("_value"))
    known = parents.select(F.col(column).alias("_value")).distinct()
    missing = found.where(F.col("_value").isNotNull()).join(known, on="_value", how="left_anti")
    return _as_facts(missing.groupBy("period").agg(F.count("*").alias(rule.name)), table, [rule.name])


def collected(frames: Sequence[DataFrame]) -> Facts:
    """All facts, in one Spark job."""
    found: Facts = {}
    for row in reduce(DataFrame.unionByName, frames).collect() if frames else ():
        found.setdefault((row["table_name"], row["period"]), {}).update(
            {name: value for name, value in row["facts"].items() if value is not None}
        )
    return found


def bucket_names(rule: Rule) -> list[str]:
    """Of a drift rule: what shares are counted of."""
    return [name for name, _ in _buckets(rule)]


def _wide(rule: Rule) -> dict[str, Column]:
    """The facts of a rule that one pass over the rows tells."""
    value = F.col(rule.column) if rule.column else F.lit(None)
    match rule.spec:
        case NotNull():
            return {rule.name: F.count_if(value.isNull())}
        case Values(values=values):
            return {rule.name: F.count_if(~value.isin(*values))}
        case Range(low=low, high=high):
            outside = [value < low] if low is not None else []
            outside += [value > high] if high is not None else []
            return {rule.name: F.count_if(reduce(Column.__or__, outside))}
        case Freshness():
            return {rule.name: F.unix_seconds(F.max(value))}
        case Drift():
            return {f"{rule.name}:{name}": F.count_if(inside) for name, inside in _buckets(rule)}
    return {}


def _sums(columns: Iterable[str]) -> dict[str, Column]:
    return {f"sum:{name}": F.coalesce(F.sum(name), F.lit(0)) for name in sorted(columns)}


def _buckets(rule: Rule) -> Iterator[tuple[str, Column]]:
    """Every row is in one of them."""
    assert isinstance(rule.spec, Drift)
    value, edges = F.col(str(rule.column)), rule.spec.edges
    values = rule.table.column(str(rule.column)).values
    yield NULL, value.isNull()
    if values:
        yield from ((name, value == name) for name in values)
        yield OTHER, ~value.isin(*values)
    elif edges:
        yield f"<{edges[0]:g}", value < edges[0]
        for low, high in pairwise(edges):
            yield f"{low:g}..{high:g}", (value >= low) & (value < high)
        yield f">={edges[-1]:g}", value >= edges[-1]
    else:
        yield OTHER, value.isNotNull()


def _repeated(rows: DataFrame, table: Table, period: Column) -> DataFrame:
    """Rows too many: all but one of each key, counted in the key's last period."""
    keys = [F.col(name).alias(f"_key{number}") for number, name in enumerate(table.key)]
    names = [f"_key{number}" for number in range(len(keys))]
    same = rows.select(period.alias("period"), *keys).groupBy(*names)
    found = same.agg(F.max("period").alias("period"), F.count("*").alias("n")).where("n > 1")
    return _as_facts(found.groupBy("period").agg(F.sum(F.col("n") - 1).alias("key")), table, ["key"])


def _as_facts(frame: DataFrame, table: Table, names: Sequence[str]) -> DataFrame:
    pairs = [part for name in names for part in (F.lit(name), F.col(f"`{name}`").cast("bigint"))]
    return frame.select(F.lit(table.name).alias("table_name"), "period", F.create_map(*pairs).alias("facts"))
