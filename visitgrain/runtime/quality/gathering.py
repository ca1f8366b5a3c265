"""Gathers the facts of files: few rows here, many in one Spark job with one shuffle, of hashes.

Keys and references are of all rows together: of each value its hash is brought together with its equals. That two
values share one of 2**64 hashes is to be feared from thousands of millions of rows in a run on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from visitgrain.arrow.hashing import hash_rows
from visitgrain.arrow.rows import FilePart, read_part
from visitgrain.catalogue.quality import ROWS, Rule
from visitgrain.runtime.quality.facts import Facts, added, columns_of, facts_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE = 2_000_000  # rows of files: fewer are read by the driver, as a Spark job takes longer to start
FACTS = -1  # in place of the number of a rule
TOLD = pa.schema(
    [
        ("rule", pa.int32()),
        ("hash", pa.int64()),
        ("known", pa.bool_()),
        ("period", pa.date32()),
        ("facts", pa.string()),
    ]
)


@dataclass(frozen=True)
class Hashed:
    """Values of `columns` that count for the rule of that number; `known`: they are those it refers to."""

    rule: int
    columns: tuple[str, ...]
    known: bool = False


@dataclass(frozen=True)
class Unit:
    """A part of a file and what is wanted of it. Without `facts` hashes only."""

    table: str
    part: FilePart
    hashed: tuple[Hashed, ...] = ()
    facts: bool = True
    rules: tuple[Rule, ...] = ()
    summed: tuple[str, ...] = ()

    def read(self) -> pa.Table:
        wanted = {name for each in self.hashed for name in each.columns}
        names = sorted(wanted | set(columns_of(self.rules, self.summed)))
        # Of no column Arrow would not know how many rows there are.
        return read_part(self.part, names or [self.fallback])

    @property
    def fallback(self) -> str:
        from visitgrain.tables import TABLES

        return TABLES[self.table].key[0]


def gathered(units: Sequence[Unit], rules: Sequence[Rule], spark: SparkSession) -> Facts:
    """Facts by table and period. Of keys and references those rows are counted that break `rules`, in their order."""
    if sum(unit.part.rows for unit in units) <= HERE:
        told = pa.concat_tables([TOLD.empty_table(), *(table for unit in units for table in _told(unit))])
        return _summed(told, rules)
    tasks = min(len(units), 4 * spark.sparkContext.defaultParallelism)
    told = spark.range(len(units), numPartitions=tasks).mapInArrow(partial(_in_worker, units=units), _ddl())
    own = (~F.col("known")).cast("int")
    same = told.groupBy("rule", "hash").agg(
        F.sum(own).alias("rows"),
        F.max("known").alias("known"),
        F.max("period").alias("period"),
        F.max("facts").alias("facts"),
    )
    unique = F.array([F.lit(rule.kind == "key") for rule in rules]) if rules else F.array(F.lit(True))
    of_key = F.coalesce(F.get(unique, F.col("rule")), F.lit(False))
    wrong = F.when(of_key, F.col("rows") - 1).when(~F.col("known"), F.col("rows")).otherwise(F.lit(0))
    broken = (
        same.withColumn("wrong", wrong)
        .where((F.col("rule") == FACTS) | (F.col("wrong") > 0))
        .groupBy("rule", "period")
        .agg(F.sum("wrong").alias("wrong"), F.collect_list("facts").alias("facts"))
    )
    return _as_facts([(row["rule"], row["period"], row["wrong"], row["facts"]) for row in broken.collect()], rules)


def _told(unit: Unit) -> Iterator[pa.Table]:
    rows = unit.read()
    if unit.facts:
        facts = {"table": unit.table, **facts_of(rows, unit.rules, unit.summed)}
        place = hash_rows(pa.table({"path": [unit.part.path], "part": [unit.part.part]})).view(np.int64)
        yield _rows(FACTS, place, False, unit.part.partition, json.dumps(facts))
    for each in unit.hashed:
        values = rows.select(each.columns)
        if len(each.columns) == 1:
            values = values.drop_null()  # nulls refer to nothing
        yield _rows(each.rule, hash_rows(values).view(np.int64), each.known, unit.part.partition, None)


def _rows(rule: int, hashes: np.ndarray, known: bool, period: date | None, facts: str | None) -> pa.Table:
    constants = [pa.scalar(rule, pa.int32()), None, pa.scalar(known), pa.scalar(period, pa.date32())]
    constants.append(pa.scalar(facts, pa.string()))
    arrays = [pa.array(hashes) if value is None else pa.repeat(value, len(hashes)) for value in constants]
    return pa.table(arrays, schema=TOLD)


def _in_worker(batches: Iterator[pa.RecordBatch], *, units: Sequence[Unit]) -> Iterator[pa.RecordBatch]:
    for number in (number for batch in batches for number in batch["id"].to_pylist()):
        for table in _told(units[number]):
            yield from table.to_batches()


def _summed(told: pa.Table, rules: Sequence[Rule]) -> Facts:
    """What the Spark job does, with NumPy."""
    found: list[tuple[int, date | None, int, list[str]]] = []
    numbers = told["rule"].to_numpy()
    of_facts = told.filter(pa.array(numbers == FACTS))
    for row in of_facts.select(["period", "facts"]).to_pylist():
        found.append((FACTS, row["period"], 0, [row["facts"]]))
    for number, rule in enumerate(rules):
        rows = told.filter(pa.array(numbers == number))
        known = rows["known"].to_numpy()
        _, place = np.unique(rows["hash"].to_numpy(), return_inverse=True)
        own = np.bincount(place, ~known)
        wrong = own - 1 if rule.kind == "key" else np.where(np.bincount(place, known) > 0, 0, own)
        days = rows["period"].cast(pa.int32()).fill_null(-(2**31)).to_numpy()
        last = np.full(len(own), -(2**31), np.int64)
        np.maximum.at(last, place, days)
        for day in np.unique(last[wrong > 0]).tolist():
            period = None if day == -(2**31) else pa.scalar(day, pa.int32()).cast(pa.date32()).as_py()
            found.append((number, period, int(wrong[(last == day) & (wrong > 0)].sum()), []))
    return _as_facts(found, rules)


def _as_facts(found: Sequence[tuple[int, date | None, int, list[str]]], rules: Sequence[Rule]) -> Facts:
    facts: Facts = {}
    for number, period, wrong, texts in found:
        for text in texts:
            one = json.loads(text)
            place = (one.pop("table"), period)
            facts[place] = added(facts.get(place, {}), one)
        if number != FACTS:
            rule = rules[number]
            place = (rule.table.name, period)
            facts[place] = added(facts.get(place, {ROWS: 0}), {rule.name: wrong})
    return facts


def _ddl() -> str:
    return "rule int, hash bigint, known boolean, period date, facts string"
