"""From what a feed has to what a table wants. Never raises at run time: what does not convert is null and `failed`."""

from __future__ import annotations

import re
from decimal import Decimal

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.expression_tree import ExpressionError
from visitgrain.catalogue.source_functions import EPOCH_UNITS
from visitgrain.expressions.typed import NUMBERS, TEXTS, Sort, Typed, need

_WHOLE = r"^([+-]?\d+)\.0*$"  # 17850.0 is the whole number 17850
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$"
_ZONE_LETTERS = "XxZVzO"  # of Java's DateTimeFormatter
_INT_LIMIT = float(2**63)


def _blank_is_missing(value: Typed) -> Typed:
    return value.like(F.nullif(F.trim(value.column), F.lit("")))


def to_text(value: Typed) -> Typed:
    if value.sort in (*TEXTS, Sort.NULL):
        return value.like(value.column.cast("string"), Sort.TEXT)
    if value.sort in (Sort.TIME, Sort.MAP):
        raise ExpressionError(f"a {value.sort} cannot become text; map the source column itself")
    return value.like(value.column.cast("string"), Sort.TEXT)


def to_int(value: Typed) -> Typed:
    if value.sort is Sort.INT:
        return value
    if value.sort in (Sort.FLOAT, Sort.DECIMAL):
        column = value.column
        whole = (column == F.floor(column)) & (F.abs(column) < _INT_LIMIT)
        return value.converted(F.when(whole, column.try_cast("bigint")), Sort.INT)
    if value.sort is Sort.BOOL:
        return value.like(value.column.cast("bigint"), Sort.INT)
    text = _blank_is_missing(need(value, TEXTS, "int(x)"))
    return text.converted(F.regexp_replace(text.column, _WHOLE, "$1").try_cast("bigint"), Sort.INT)


def to_float(value: Typed) -> Typed:
    """Neither NaN nor infinity: both would spread through sums. -0.0 becomes 0.0."""
    if value.sort not in (*NUMBERS, Sort.BOOL):
        value = _blank_is_missing(need(value, TEXTS, "float(x)"))
    number = value.column.try_cast("double")
    finite = ~F.isnan(number) & (F.abs(number) < float("inf"))
    return value.converted(F.when(finite, number + F.lit(0.0)), Sort.FLOAT)


def to_bool(value: Typed) -> Typed:
    if value.sort is Sort.BOOL:
        return value
    if value.sort is Sort.INT:
        return value.converted(F.when(value.column.isin(0, 1), value.column == 1), Sort.BOOL)
    text = _blank_is_missing(need(value, TEXTS, "bool(x)"))
    return text.converted(text.column.try_cast("boolean"), Sort.BOOL)


def to_fen(value: Typed) -> Typed:
    """Hundredths, rounded half up once, in exact decimals (a double goes through its shortest text: 2.55 is 2.55)."""
    if value.sort is Sort.FLOAT:
        value = to_float(value)
    elif value.sort not in NUMBERS:
        value = _blank_is_missing(need(value, TEXTS, "fen(x)"))
    amount = value.column if value.sort is Sort.DECIMAL else value.column.cast("string")
    hundredths = amount.try_cast("decimal(30,2)") * F.lit(Decimal(100))
    return value.converted(hundredths.try_cast("bigint"), Sort.INT)


def to_time(value: Typed, zone: str, pattern: str | None = None) -> Typed:
    """An instant. A text without offset is wall-clock time in `zone`; a date is its midnight there."""
    if value.sort is Sort.TIME:
        return value
    if value.sort is Sort.DATE:
        return value.like(
            F.concat(value.column.cast("string"), F.lit(f" 00:00:00 {zone}")).try_cast("timestamp"), Sort.TIME
        )
    if value.sort in NUMBERS:
        raise ExpressionError(
            "a number is no time by itself; say its unit: epoch(x, 's'), epoch(x, 'ms') or epoch(x, 'us')"
        )
    text = _blank_is_missing(need(value, TEXTS, "timestamp(x)"))
    parsed = _iso(text.column, zone) if pattern is None else _by_pattern(text.column, zone, pattern)
    return text.converted(parsed, Sort.TIME)


def _iso(text: Column, zone: str) -> Column:
    seconds = F.regexp_replace(text, r"^(.{16})(?=$|[^:\d])", "$1:00")  # 2021-03-01T20:39Z
    clock = F.regexp_replace(F.regexp_replace(seconds, ",", "."), r"^(.{10})$", "$1 00:00:00")
    has_offset = F.substr(clock, F.lit(17)).rlike("[A-Za-z+-]")
    return F.when(text.rlike(_ISO), F.when(has_offset, clock).otherwise(F.concat(clock, F.lit(f" {zone}")))).try_cast(
        "timestamp"
    )


def _by_pattern(text: Column, zone: str, pattern: str) -> Column:
    if any(letter in _ZONE_LETTERS for letter in re.sub(r"'[^']*'", "", pattern)):
        return F.try_to_timestamp(text, F.lit(pattern))
    return F.try_to_timestamp(F.concat(text, F.lit(f" {zone}")), F.lit(f"{pattern} VV"))


def from_epoch(value: Typed, unit: str) -> Typed:
    """An instant from a count of `unit` since 1970 in UTC; fractions down to a microsecond are kept."""
    if unit not in EPOCH_UNITS:
        raise ExpressionError(f"epoch(): unknown unit {unit!r}; allowed: {', '.join(EPOCH_UNITS)}")
    if value.sort not in NUMBERS:
        value = _blank_is_missing(need(value, (Sort.INT, Sort.FLOAT, *TEXTS), "epoch(x, 's')"))
    number = value.column.try_cast("decimal(30,6)") * F.lit(Decimal(EPOCH_UNITS[unit]))
    return value.converted(F.timestamp_micros(number.try_cast("bigint")), Sort.TIME)


def to_date(value: Typed, pattern: str | None = None) -> Typed:
    """A day; of a time its day in the business zone."""
    if value.sort is Sort.DATE:
        return value
    if value.sort is Sort.TIME:
        return value.like(F.to_date(value.column), Sort.DATE)
    text = _blank_is_missing(need(value, TEXTS, "date(x)"))
    if pattern is not None:
        return text.converted(F.try_to_timestamp(text.column, F.lit(pattern)).cast("date"), Sort.DATE)
    day = F.when(text.column.rlike(r"^\d{4}-\d{2}-\d{2}($|[T ])"), F.substr(text.column, F.lit(1), F.lit(10)))
    return text.converted(day.try_cast("date"), Sort.DATE)


def to_map(value: Typed) -> Typed:
    """A map<string,string> with its keys in order, so that equal maps are equal rows; from a map or a JSON object."""
    if value.sort not in (Sort.MAP, Sort.NULL):
        text = need(value, TEXTS, "map(a=x)")
        value = text.converted(F.from_json(text.column, "map<string,string>"), Sort.MAP)
    column = value.column.cast("map<string,string>")
    present = F.filter(F.array_sort(F.map_entries(column)), lambda entry: entry["value"].isNotNull())
    return value.like(F.when(F.size(present) > 0, F.map_from_entries(present)), Sort.MAP)


def to_type(value: Typed, sql_type: str, zone: str) -> Typed:
    """`value` as a column of `sql_type`: what a mapping may leave implicit."""
    match sql_type:
        case "string":
            return to_text(value)
        case "bigint" | "int":
            whole = to_int(value)
            return whole if sql_type == "bigint" else whole.converted(whole.column.try_cast("int"), Sort.INT)
        case "double":
            return to_float(value)
        case "boolean":
            return to_bool(value)
        case "timestamp":
            return to_time(value, zone)
        case "date":
            return to_date(value)
        case "map<string,string>":
            return to_map(value)
    raise ExpressionError(f"columns of type {sql_type} cannot be mapped")
