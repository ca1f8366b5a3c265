"""What each function of a source mapping does, as Spark columns: one entry per function of `source_functions`."""

from __future__ import annotations

import re
from collections.abc import Callable

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.expression_tree import ExpressionError, Pairs
from visitgrain.catalogue.source_functions import MAX_PATTERN
from visitgrain.errors import MASK, PHONE
from visitgrain.expressions import conversions as convert
from visitgrain.expressions.typed import (
    NUMBERS,
    TEXTS,
    Scope,
    Sort,
    Typed,
    any_of,
    common_sort,
    failures,
    need,
)

# Blanks, brackets and dashes of any width: people write numbers as they like.
_BESIDE_DIGITS = r"[\s\u00A0\u2000-\u2015\u202F\u2212\u3000\uFEFF\uFF08\uFF09\uFF0D()-]"
_JSON_PATH = re.compile(r"^[\w$@ -]+(\.[\w$@ -]+)*$")


def _text(value: Typed, usage: str) -> Column:
    return need(value, TEXTS, usage).column


def on_text(apply: Callable[..., Column], usage: str, sort: Sort = Sort.TEXT) -> Callable[..., Typed]:
    """A function of a text (and constants): missing in, missing out; it cannot fail."""

    def call(_: Scope, value: Typed, *constants: object) -> Typed:
        return Typed(apply(_text(value, usage), *constants), sort, value.failed)

    return call


def on_two_texts(apply: Callable[[Column, Column], Column], usage: str) -> Callable[..., Typed]:
    def call(_: Scope, value: Typed, part: Typed) -> Typed:
        return Typed(apply(_text(value, usage), _text(part, usage)), Sort.BOOL, failures(value, part))

    return call


def regexp_extract(_: Scope, value: Typed, pattern: object, group: object = 1) -> Typed:
    text = _text(value, "regexp_extract(x, pattern, 1)")
    found = F.regexp_extract(text, _pattern(pattern), int(str(group)))
    return Typed(F.nullif(found, F.lit("")), Sort.TEXT, value.failed)


def _pattern(pattern: object) -> str:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATTERN:
        raise ExpressionError(f"a pattern is a text of 1 to {MAX_PATTERN} characters")
    return pattern


def json_get(_: Scope, value: Typed, path: object) -> Typed:
    if not isinstance(path, str) or not _JSON_PATH.match(path):
        raise ExpressionError(f"json_get(): {path!r} is not a path; write names joined by dots: 'user.id'")
    steps = [f"[{step}]" if step.isdigit() else f"['{step}']" for step in path.split(".")]
    return Typed(F.get_json_object(_text(value, "json_get(x, 'a.b')"), "$" + "".join(steps)), Sort.TEXT, value.failed)


def is_null(_: Scope, value: Typed) -> Typed:
    return Typed(value.column.isNull(), Sort.BOOL)


def coalesce(_: Scope, *values: Typed) -> Typed:
    """A failed conversion counts as missing: only a result that is missing after a failure has failed."""
    sort = common_sort(values, "coalesce(x, y)")
    column = F.coalesce(*(aligned(value, sort) for value in values))
    failed = failures(*values)
    return Typed(column, sort, None if failed is None else column.isNull() & failed)


def if_else(_: Scope, condition: Typed, then: Typed, otherwise: Typed) -> Typed:
    """Only the branch that is taken can fail."""
    test = F.coalesce(need(condition, (Sort.BOOL,), "if_else(condition, x, y)").column, F.lit(False))
    sort = common_sort((then, otherwise), "if_else(condition, x, y)")
    column = F.when(test, aligned(then, sort)).otherwise(aligned(otherwise, sort))
    failed = any_of([condition.failed, _where(test, then.failed), _where(~test, otherwise.failed)])
    return Typed(column, sort, failed)


def _where(test: Column, failed: Column | None) -> Column | None:
    return None if failed is None else test & failed


def aligned(value: Typed, sort: Sort) -> Column:
    if value.sort is Sort.NULL:
        return F.lit(None)
    return value.column.cast("double") if sort is Sort.FLOAT and value.sort is not sort else value.column


def lookup(_: Scope, value: Typed, pairs: object, default: Typed | None = None) -> Typed:
    if not isinstance(pairs, Pairs) or not pairs.pairs:
        raise ExpressionError("lookup(x, {'a': 'b'}, default) needs a mapping of constants")
    text = convert.to_text(value).column
    results = {type(result) for _, result in pairs.pairs}
    if len(results) != 1:
        raise ExpressionError("lookup(): the results are of different kinds; write them all as text or all as numbers")
    table = F.create_map(
        *(F.lit(str(item) if position == 0 else item) for pair in pairs.pairs for position, item in enumerate(pair))
    )
    found = Typed(F.try_element_at(table, text), sort_of(results.pop()), value.failed)
    return found if default is None else Typed(coalesce(_, found, default).column, found.sort, value.failed)


def sort_of(kind: type) -> Sort:
    return {bool: Sort.BOOL, int: Sort.INT, float: Sort.FLOAT, str: Sort.TEXT, type(None): Sort.NULL}[kind]


def concat(_: Scope, *values: Typed) -> Typed:
    return Typed(F.concat_ws("", *(convert.to_text(value).column for value in values)), Sort.TEXT, failures(*values))


def absolute(_: Scope, value: Typed) -> Typed:
    return value.like(F.abs(need(value, NUMBERS, "abs(x)").column))


def rounded(_: Scope, value: Typed) -> Typed:
    number = need(value, NUMBERS, "round(x)")
    return number.converted(F.round(number.column).try_cast("bigint"), Sort.INT)


def seconds_between(_: Scope, earlier: Typed, later: Typed) -> Typed:
    start, end = (
        F.unix_micros(need(t, (Sort.TIME,), "seconds_between(earlier, later)").column) for t in (earlier, later)
    )
    return Typed((end - start) / F.lit(1e6), Sort.FLOAT, failures(earlier, later))


def pseudonym(scope: Scope, number: Typed, activation: Typed | None = None) -> Typed:
    identity = F.trim(convert.to_text(number).column)
    if activation is not None:
        identity = F.when(identity.isNotNull(), F.concat_ws("|", identity, convert.to_text(activation).column))
    return Typed(scope.subscriber_ids(F.nullif(identity, F.lit(""))), Sort.INT, number.failed)


def device_hash(scope: Scope, *parts: Typed) -> Typed:
    return Typed(scope.device_ids(concat(scope, *parts).column), Sort.TEXT, failures(*parts))


def msisdn(_: Scope, number: Typed) -> Typed:
    """11 digits from 13… to 19…; the country code 86 is taken off. Anything else but blanks has failed."""
    if number.sort in NUMBERS:
        number = convert.to_int(number)  # a double would be written 1.3800138E10
    text = F.translate(_text(convert.to_text(number), "msisdn(x)"), "０１２３４５６７８９＋", "0123456789+")
    plain = F.regexp_replace(F.regexp_replace(text, _BESIDE_DIGITS, ""), r"\.0*$", "")
    digits = F.regexp_replace(plain, r"^(\+|00)?86(?=1\d{10}$)", "")
    given = Typed(F.nullif(plain, F.lit("")), Sort.TEXT, number.failed)
    return given.converted(F.when(digits.rlike(r"^1[3-9]\d{9}$"), digits), Sort.TEXT)


def named_map(_: Scope, **values: Typed) -> Typed:
    """Keys in order of name, so that equal maps are equal rows; missing values are left out, numbers masked."""
    entries = [
        F.struct(F.lit(key), F.regexp_replace(convert.to_text(value).column, PHONE.pattern, MASK).alias("value"))
        for key, value in sorted(values.items())
    ]
    if not entries:
        raise ExpressionError("map() needs at least one key=value")
    present = F.filter(F.array(*entries), lambda entry: entry["value"].isNotNull())
    column = F.when(F.size(present) > 0, F.map_from_entries(present))
    return Typed(column, Sort.MAP, failures(*values.values()))


CALLS: dict[str, Callable[..., Typed]] = {
    "text": lambda _, x: convert.to_text(x),
    "int": lambda _, x: convert.to_int(x),
    "float": lambda _, x: convert.to_float(x),
    "bool": lambda _, x: convert.to_bool(x),
    "fen": lambda _, x: convert.to_fen(x),
    "timestamp": lambda scope, x, pattern=None: convert.to_time(x, scope.zone, pattern),
    "epoch": lambda _, x, unit: convert.from_epoch(x, unit),
    "date": lambda _, x, pattern=None: convert.to_date(x, pattern),
    "is_null": is_null,
    "coalesce": coalesce,
    "if_else": if_else,
    "lookup": lookup,
    "concat": concat,
    "lower": on_text(F.lower, "lower(x)"),
    "upper": on_text(F.upper, "upper(x)"),
    "trim": on_text(F.trim, "trim(x)"),
    "length": on_text(F.length, "length(x)", Sort.INT),
    "substr": on_text(lambda x, start, size: F.substr(x, F.lit(start), F.lit(size)), "substr(x, 1, 8)"),
    "replace": on_text(lambda x, old, new: F.replace(x, F.lit(old), F.lit(new)), "replace(x, 'a', 'b')"),
    "contains": on_two_texts(F.contains, "contains(x, 'a')"),
    "starts_with": on_two_texts(F.startswith, "starts_with(x, 'a')"),
    "ends_with": on_two_texts(F.endswith, "ends_with(x, 'a')"),
    "regexp_extract": regexp_extract,
    "regexp_like": on_text(lambda x, pattern: x.rlike(_pattern(pattern)), "regexp_like(x, pattern)", Sort.BOOL),
    "json_get": json_get,
    "abs": absolute,
    "round": rounded,
    "seconds_between": seconds_between,
    "pseudonym": pseudonym,
    "msisdn": msisdn,
    "device_hash": device_hash,
    "map": named_map,
}
