"""Rows of a source -> rows of a canonical table, each with its fate: good, filtered by a rule, or quarantined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.expression_tree import ExpressionError, Literal, Node
from visitgrain.catalogue.source import DAYS, DEVICE_STAMPS, GENERATED, Source, mappable
from visitgrain.errors import ConfigError
from visitgrain.expressions.compile import compiled
from visitgrain.expressions.conversions import to_type
from visitgrain.expressions.typed import Scope, Sort, Typed, need
from visitgrain.sources.gate import mapped_columns
from visitgrain.sources.reading import Rows
from visitgrain.sources.records import BLANK, MAX_PAYLOAD
from visitgrain.sources.settling import NEWEST, payload
from visitgrain.tables import Column as Declared, Table

EARLIEST = "2000-01-01 00:00:00 UTC"
AHEAD = timedelta(days=1)  # a device may be a day ahead of us, not more
RULE, REASON, KEY_HASH = "_rule", "_reason", "_key_hash"


@dataclass(frozen=True)
class Load:
    """One ingest run: who loads what, the time until which events are plausible, and how late they may come.

    A key is known again when it came at most `dedup_horizon` before or after: work does not grow with all history.
    """

    source: Source
    load_id: str
    now: datetime
    late_horizon: timedelta
    dedup_horizon: timedelta


def staged(rows: Rows, table: Table, scope: Scope, load: Load) -> DataFrame:
    """Every row of `rows` once: the canonical columns, `_rule`, `_reason` and where it came from.

    Raises ConfigError naming the entry of the mapping whose expression does not fit the columns.
    """
    mapping = load.source.tables[table.name]
    typed, problems = {}, []
    for name, tree in mapped_columns(mapping, table, scope.columns).items():
        try:
            typed[name] = _value(tree, table, name, scope, mapping.defaults.get(name))  # type: ignore[arg-type]
        except ExpressionError as error:
            problems.append(f"columns.{name}: {error}")
    keeps: dict[str, Column] = {}
    for rule in mapping.where:
        try:
            keeps[rule.rule] = need(compiled(rule.keep, scope), (Sort.BOOL,), "keep").column
        except ExpressionError as error:
            problems.append(f"where.{rule.rule}: {error}")
    if problems:
        place = f"sources/{load.source.source}.yaml: tables.{table.name}"
        raise ConfigError("\n".join(f"{place}.{problem}" for problem in problems))
    constants = {
        name: _value(Literal(v), table, name, scope, None) for name, v in mapping.defaults.items() if name not in typed
    }
    return _with_fate(_projected(rows.frame, table, {**typed, **constants}, keeps), table, load)


def _value(tree: Node, table: Table, name: str, scope: Scope, default: object) -> Typed:
    sql_type = "timestamp" if name in DEVICE_STAMPS else table.column(name).type
    value = to_type(compiled(tree, scope), sql_type, scope.zone)
    if default is None:
        return value
    fallback = to_type(compiled(Literal(default), scope), sql_type, scope.zone).column  # type: ignore[arg-type]
    # A default stands for a missing value, never for one that did not convert.
    failed = F.coalesce(value.failed, F.lit(False)) if value.failed is not None else F.lit(False)
    return value.like(F.when(value.column.isNull() & ~failed, fallback).otherwise(value.column))


def _projected(frame: DataFrame, table: Table, typed: Mapping[str, Typed], keeps: Mapping[str, Column]) -> DataFrame:
    failed = [F.when(v.failed, F.lit(f"type:{name}")) for name, v in typed.items() if v.failed is not None]
    readable = F.col(REASON).isNull()
    rules = [F.when(readable & ~F.coalesce(keep, F.lit(False)), F.lit(rule)) for rule, keep in keeps.items()]
    nothing = F.lit(None).cast("string")
    columns = [
        typed[name].column.cast(_type(table, name)).alias(name)
        if name in typed
        else F.lit(None).cast(_type(table, name)).alias(name)
        for name in mappable(table)
    ]
    return frame.select(
        *columns,
        "_file",
        "_position",
        F.coalesce(F.when(F.col(REASON) == BLANK, F.lit("blank_line")), *rules, nothing).alias(RULE),
        F.coalesce(F.when(F.col(REASON) != BLANK, F.col(REASON)), *failed, nothing).alias(REASON),
        F.substr("_raw", F.lit(1), F.lit(MAX_PAYLOAD)).alias("_payload"),
        F.coalesce("_payload_hash", F.sha2("_raw", 256)).alias("_payload_hash"),
    )


def _type(table: Table, name: str) -> str:
    return "timestamp" if name in DEVICE_STAMPS else table.column(name).type


def _with_fate(frame: DataFrame, table: Table, load: Load) -> DataFrame:
    frame = _with_derived(frame, table)
    names = mappable(table)
    checks = [_problem(column, load.now) for column in table.columns if column.name in names]
    reason = F.when(F.col(RULE).isNull(), F.coalesce(REASON, *(check for check in checks if check is not None)))
    return frame.withColumn(REASON, reason).select(
        *(c.name for c in table.columns if c.name not in GENERATED),
        F.lit(load.source.source).alias("source"),
        F.lit(load.load_id).alias("load_id"),
        F.xxhash64(*table.key).alias(KEY_HASH),
        RULE,
        REASON,
        "_file",
        "_position",
        *(_kept(name, table).alias(name) for name in ("_payload", "_payload_hash")),
    )


def _kept(name: str, table: Table) -> Column:
    """The row as it came, where it may be needed: it is not free."""
    return F.col(name) if table.name in NEWEST else F.when(F.col(REASON).isNotNull(), F.col(name))


def _problem(column: Declared, now: datetime) -> Column | None:
    """`null:`, `value:` or `range:` and the column, where its value is none that the table may hold."""
    value, problems = F.col(column.name), []
    if not column.nullable:
        problems.append(F.when(value.isNull(), F.lit(f"null:{column.name}")))
    if column.values:
        problems.append(F.when(~value.isin(*column.values), F.lit(f"value:{column.name}")))
    if column.type == "timestamp":
        plausible = value.between(F.lit(EARLIEST).cast("timestamp"), F.lit(now + AHEAD))
        problems.append(F.when(~plausible, F.lit(f"range:{column.name}")))
    return F.coalesce(*problems) if problems else None


def _with_derived(frame: DataFrame, table: Table) -> DataFrame:
    """Columns that follow from others: event time from device stamps, local days, missing event ids."""
    if table.name == "events":
        frame = frame.withColumn("event_time", _event_time()).drop(*DEVICE_STAMPS)
        frame = frame.withColumn("received_time", F.coalesce("received_time", "event_time"))
    if table.name in DAYS:
        day, instant = DAYS[table.name]
        frame = frame.withColumn(day, F.to_date(instant))
    if table.name == "events":
        derived = F.md5(F.to_json(payload(table, without="event_id")))
        frame = frame.withColumn("event_id", F.coalesce("event_id", derived))
    if table.name == "subscriber_month":
        frame = frame.withColumn("month", F.to_date(F.trunc("month", "month")))
    return frame


def _event_time() -> Column:
    """T = received - (sent - created); received where a stamp is missing or the device sent before it created."""
    received, sent, created = (F.unix_micros(name) for name in ("received_time", "sent_time", "created_time"))
    corrected = F.when(sent >= created, F.timestamp_micros(received - (sent - created))).otherwise(
        F.col("received_time")
    )
    return F.coalesce(F.col("event_time"), corrected)


def counted(frame: DataFrame, day: str | None) -> DataFrame:
    """Rows by rule and reason; with `day`, a column of dates, the first and the last of each."""
    ends = [F.min(day).alias("first_day"), F.max(day).alias("last_day")] if day else []
    return frame.groupBy(RULE, REASON).agg(F.count("*").alias("rows"), *ends)
