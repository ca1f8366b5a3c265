"""Rows of a source -> rows of a canonical table, each with its fate: good, filtered by a rule, or quarantined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.source import DAYS, DEVICE_STAMPS, GENERATED, Source, mappable
from visitgrain.errors import MASK, PHONE
from visitgrain.expressions.typed import Scope
from visitgrain.sources.compiling import CompiledMapping, compiled_mapping, mapped_type
from visitgrain.sources.excluding import Exclusions
from visitgrain.sources.reading import Rows
from visitgrain.sources.records import BLANK, MAX_PAYLOAD
from visitgrain.sources.settling import NEWEST, contenders, payload
from visitgrain.sources.vaulting import RAW
from visitgrain.tables import Column as Declared, Table
from visitgrain.tables.inputs import NUMBERS
from visitgrain.tables.model import Identity

EARLIEST = "2000-01-01 00:00:00 UTC"
AHEAD = timedelta(days=1)  # a device may be a day ahead of us, not more
SKEW_S = 86_400  # a device clock that is further off than this is worth a note
RULE, REASON, KEY_HASH = "_rule", "_reason", "_key_hash"
FREE_TEXT = ("page", "source_channel")  # addresses and names of the feed, where a number may stand
ERASED = "erased"  # the rule that leaves out rows of who asked for it
BLANK_LINE = "blank_line"  # the rule that leaves it out
NOTES = {"rescued": "rescued", "skewed": "clock_skew_s"}  # what is counted -> the column that says it


@dataclass(frozen=True)
class Load:
    """One ingest run: who loads what, the time until which events are plausible, and how late they may come.

    A key is known again when it came at most `dedup_horizon` before or after: work does not grow with all history.
    `load_id` and `now` are columns where rows of several earlier loads are mapped again: each keeps its own.
    """

    source: Source
    load_id: str | Column
    now: datetime | Column
    exclusions: Exclusions
    late_horizon: timedelta
    dedup_horizon: timedelta
    erased: Callable[[Column, Column], Column] | None = None  # of an identity and a day; None where nobody was erased
    seal: Callable[[Column], Column] = lambda payload: payload  # numbers in refused rows


def staged(rows: Rows, table: Table, scope: Scope, load: Load) -> DataFrame:
    """Every row of `rows` once: the canonical columns, `_rule`, `_reason` and where it came from."""
    return _with_fate(_projected(rows, table, compiled_mapping(table, scope, load.source)), rows.carried, table, load)


def _projected(rows: Rows, table: Table, mapped: CompiledMapping) -> DataFrame:
    readable = F.col(REASON).isNull()
    rules = [F.when(readable & ~F.coalesce(keep, F.lit(False)), F.lit(rule)) for rule, keep in mapped.keeps.items()]
    rescued = [F.col("_rescued").alias("rescued")] if "rescued" in table.column_names else []
    nothing = F.lit(None).cast("string")
    values = {name: value.column for name, value in mapped.values.items()}
    return rows.frame.select(
        *(values.get(name, F.lit(None)).cast(mapped_type(table, name)).alias(name) for name in mappable(table)),
        *rescued,
        *rows.carried,
        "_file",
        "_position",
        F.coalesce(F.when(F.col(REASON) == BLANK, F.lit(BLANK_LINE)), *rules, nothing).alias(RULE),
        F.coalesce(F.when(F.col(REASON) != BLANK, F.col(REASON)), *mapped.failures, nothing).alias(REASON),
        F.substr("_raw", F.lit(1), F.lit(MAX_PAYLOAD)).alias("_payload"),
        F.coalesce("_payload_hash", F.sha2("_raw", 256)).alias("_payload_hash"),
    )


def _with_fate(frame: DataFrame, carried: Sequence[str], table: Table, load: Load) -> DataFrame:
    frame = _without_erased(_with_derived(frame, table, load), table, load)
    names = mappable(table)
    checks = [_problem(column, load.now) for column in table.columns if column.name in names]
    if table is NUMBERS:
        checks.append(F.when(F.col("valid_to") <= F.col("valid_from"), "range:valid_to"))
    for name in FREE_TEXT:
        if name in table.column_names:
            frame = frame.withColumns({name: F.regexp_replace(name, PHONE.pattern, MASK)})
    if "rescued" in table.column_names:
        hidden = F.transform_values("rescued", lambda _, value: F.regexp_replace(value, PHONE.pattern, MASK))
        frame = frame.withColumns({"rescued": F.when(F.col("rescued").isNotNull(), hidden)})
    if table is NUMBERS:
        frame = frame.withColumns({RAW: F.col("number"), "number": F.lit(None).cast("string")})
    reason = F.when(F.col(RULE).isNull(), F.coalesce(REASON, *(check for check in checks if check is not None)))
    return frame.withColumn(REASON, reason).select(
        *(c.name for c in table.columns if c.name not in GENERATED),
        F.lit(load.source.source).alias("source"),
        F.lit(load.load_id).alias("load_id"),
        F.xxhash64(*contenders(table)).alias(KEY_HASH),
        *carried,
        *([RAW] if table is NUMBERS else []),
        RULE,
        REASON,
        "_file",
        "_position",
        *(_kept(name, table).alias(name) for name in ("_payload", "_payload_hash")),
    )


def _without_erased(frame: DataFrame, table: Table, load: Load) -> DataFrame:
    """Rows of who was erased are left out, whatever else is wrong with them."""
    if load.erased is None or not table.identities:
        return frame
    day = F.last_day("month") if table.partition == "month" else F.col(table.partition or "valid_from")
    theirs = [load.erased(F.col(c.name).cast("string"), day) for c in table.identities if _is_own(c)]
    return frame.withColumn(RULE, F.when(reduce(or_, theirs), ERASED).otherwise(F.col(RULE))) if theirs else frame


def _is_own(column: Declared) -> bool:
    """A number is whoever's holds it; the row says who."""
    return column.identity is not Identity.NUMBER


def _kept(name: str, table: Table) -> Column:
    """The row as it came, where it may be needed: it is not free."""
    return F.col(name) if table.name in NEWEST else F.when(F.col(REASON).isNotNull(), F.col(name))


def _problem(column: Declared, now: datetime | Column) -> Column | None:
    """`null:`, `value:` or `range:` and the column, where its value is none that the table may hold."""
    value, problems = F.col(column.name), []
    if not column.nullable:
        problems.append(F.when(value.isNull(), F.lit(f"null:{column.name}")))
    if column.values:
        problems.append(F.when(~value.isin(*column.values), F.lit(f"value:{column.name}")))
    if column.type == "timestamp":
        plausible = value.between(F.lit(EARLIEST).cast("timestamp"), F.lit(now) + F.lit(AHEAD))
        problems.append(F.when(~plausible, F.lit(f"range:{column.name}")))
    return F.coalesce(*problems) if problems else None


def _with_derived(frame: DataFrame, table: Table, load: Load) -> DataFrame:
    """Columns that follow from others: event time from device stamps, local days, missing event ids, notes."""
    if table.name == "events":
        frame = frame.withColumns({"event_time": _event_time(), "clock_skew_s": _clock_skew_s()}).drop(*DEVICE_STAMPS)
        frame = frame.withColumn("received_time", F.coalesce("received_time", "event_time"))
        frame = load.exclusions.noted(frame)
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


def _clock_skew_s() -> Column:
    """Device clock minus collector where more than a day lies between, else null.

    The clock is read when the device sends. Without that stamp only a device that is ahead gives itself away: an
    event that was created long before may have waited.
    """
    received, sent, created = (F.unix_seconds(name) for name in ("received_time", "sent_time", "created_time"))
    skew = F.coalesce(sent, F.when(created > received, created)) - received
    return F.when(F.abs(skew) > SKEW_S, skew)


def counted(frame: DataFrame, table: Table) -> DataFrame:
    """Rows by rule and reason; of good rows the first and last day, and how many carry which note."""
    good = F.col(RULE).isNull() & F.col(REASON).isNull()
    day = table.partition
    # Days of refused rows are not asked for: the year 52000 is none that Python knows.
    ends = (
        [f(F.when(good, F.col(day))).alias(name) for name, f in (("first_day", F.min), ("last_day", F.max))]
        if day
        else []
    )
    if table.name != "events":
        return frame.groupBy(RULE, REASON).agg(F.count("*").alias("rows"), *ends)
    notes = [F.count(name).alias(note) for note, name in NOTES.items()]
    exclusion = F.when(good, F.col("exclusion")).alias("exclusion")
    return frame.groupBy(RULE, REASON, exclusion).agg(F.count("*").alias("rows"), *ends, *notes)
