"""Two small tables and jobs on them, for tests of the runtime."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, functions as F

from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job, during
from visitgrain.runtime.settings import default_conf, resolve
from visitgrain.span import Span
from visitgrain.tables import TABLES, Kind, Table
from visitgrain.tables.model import col, key

DAY = date(2026, 3, 1)
SPAN = Span(DAY, DAY)

CALLS = Table(
    name="test_calls",
    kind=Kind.INPUT,
    grain="one row per call",
    description="Input of the runtime's tests.",
    columns=(
        key("call_id", "bigint", "id"),
        key("day", "date", "local day"),
        col("seconds", "bigint", "duration", unit="s"),
        col("number", "string", "who", personal=True),
        col("labels", "map<string,bigint>", "a map, which has no hash of its own"),
    ),
    key=("call_id",),
    partition="day",
)
LONG_CALLS = CALLS.model_copy(update={"name": "test_long_calls", "kind": Kind.OUTPUT})

ROWS = [(1, DAY, 60, "a", {"x": 1, "y": 2}), (2, DAY, 5, "b", None), (3, DAY, None, "c", {})]


def calls(spark, rows=ROWS) -> DataFrame:
    return spark.createDataFrame(rows, CALLS.ddl)


def mark_short(test_calls: DataFrame, *, spec: object, span: Span) -> DataFrame:
    """Long calls are kept, short ones accounted for."""
    return test_calls.select("*", F.when(F.col("seconds") >= 10, "kept").otherwise("short").alias("_outcome"))


def drop_short(test_calls: DataFrame, *, spec: object, span: Span) -> DataFrame:
    """Long calls; short ones vanish without a trace, which the conservation law forbids."""
    return test_calls.where(F.col("seconds") >= 10)


def job(transform=mark_short, **more) -> Job:
    fields = {"conserves": "test_calls", "outcomes": ("short",), **more}
    return Job(
        name="find_long_calls",
        reads=(during(CALLS),),
        writes=(LONG_CALLS,),
        transform=transform,
        grain="day",
        summary="Finds long calls.",
        **fields,
    )


def context(spark, root, **overrides: object) -> Context:
    """A context on the test's own session."""
    pairs = [f"{name}={value}" for name, value in {"lake": root, "lock_wait_s": 0, **overrides}.items()]
    resolved = resolve(default_conf(), overrides=pairs)
    made = Context(resolved.settings, resolved.conf)
    made.__dict__["spark"] = spark  # the property would build another session
    return made


def with_calls(spark, root) -> Context:
    """A context on a lake with one day of calls."""
    made = context(spark, root)
    made.lake.append(CALLS, calls(spark), run_id="feed")
    return made


def declare(monkeypatch, *tables: Table) -> None:
    """Jobs accept declared tables only."""
    for table in tables:
        monkeypatch.setitem(TABLES, table.name, table)
