"""What each function of a mapping gives, and when a value fails to convert: expression, value in, value out."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from pyspark.sql import functions as F

from visitgrain.catalogue.expression import parse
from visitgrain.catalogue.expression_tree import ExpressionError
from visitgrain.catalogue.source_functions import FUNCTIONS, SOURCE_DIALECT
from visitgrain.expressions import keyed_hash
from visitgrain.expressions.compile import compiled
from visitgrain.expressions.source_calls import CALLS
from visitgrain.expressions.typed import Scope, Sort, Typed

KEY = b"0123456789abcdef"
FAILED = "failed"


def pseudonym(text: str) -> int:
    return int.from_bytes(hmac.new(KEY, text.encode(), hashlib.sha256).digest()[:8], "big") >> 1


# times are given as microseconds since 1970; zone of the source: Europe/Berlin
NOON = 1_614_600_000_000_000  # 2021-03-01 12:00 UTC
CASES = [
    ("int(x)", "3", 3),
    ("int(x)", " 17850.0 ", 17850),
    ("int(x)", "3.5", FAILED),
    ("int(x)", "zz", FAILED),
    ("int(x)", "99999999999999999999", FAILED),
    ("int(x)", None, None),
    ("int(x)", "  ", None),
    ("float(x)", "1e3", 1000.0),
    ("float(x)", "-0.0", 0.0),
    ("float(x)", "NaN", FAILED),
    ("float(x)", "1e400", FAILED),
    ("bool(x)", "Yes", True),
    ("bool(x)", "maybe", FAILED),
    ("fen(x)", "2.55", 255),
    ("fen(x)", "-0.005", -1),
    ("fen(x)", "0.00499999999999999999999999999", 0),
    ("fen(x)", "1e400", FAILED),
    ("fen(float(x) * 6)", "2.55", 1530),
    ("timestamp(x)", "2021-03-01T12:00:00Z", NOON),
    ("timestamp(x)", "2021-03-01T20:00:00+0800", NOON),
    ("timestamp(x)", "2021-03-01 20:00+08:00", NOON),
    ("timestamp(x)", "2021-03-01 13:00:00", NOON),  # Berlin is an hour ahead
    ("timestamp(x)", "2021-03-01 13:00:00,000", NOON),
    ("timestamp(x)", "2021-03-01", NOON - 13 * 3_600_000_000),
    ("timestamp(x)", "2021-03-28 02:30:00", 1_616_895_000_000_000),  # in the gap: 03:30 summer time
    ("timestamp(x)", "2021-02-29 13:00:00", FAILED),
    ("timestamp(x)", "2021-03-01 24:00:00", FAILED),
    ("timestamp(x)", "12:00:00", FAILED),
    ("timestamp(x)", "2021", FAILED),
    ("timestamp(x, 'dd/MMM/yyyy:HH:mm:ss Z')", "01/Mar/2021:12:00:00 +0000", NOON),
    ("timestamp(x, 'dd.MM.yyyy HH:mm')", "01.03.2021 13:00", NOON),
    ("timestamp(x, 'dd.MM.yyyy HH:mm')", "2021-03-01", FAILED),
    ("epoch(x, 's')", "1614600000", NOON),
    ("epoch(x, 'ms')", "1614600000000.5", NOON + 500),
    ("epoch(x, 'us')", "1614600000000000", NOON),
    ("epoch(x, 's')", "today", FAILED),
    ("text(date(x))", "2021-03-01T23:00:00", "2021-03-01"),
    ("text(date(x, 'yyyyMM'))", "202103", "2021-03-01"),
    ("text(date(timestamp(x)))", "2021-03-01T17:00:00Z", "2021-03-02"),  # local day in the business zone
    ("is_null(x)", None, True),
    ("coalesce(int(x), 0)", "zz", 0),
    ("coalesce(int(x), int(x))", "zz", FAILED),
    ("1 if x == 'a' else int(x)", "a", 1),
    ("1 if x == 'a' else int(x)", "b", FAILED),
    ("1 if x == 'a' else 2", None, 2),
    ("lookup(x, {'a': 'b'}, 'c')", "a", "b"),
    ("lookup(x, {'a': 'b'}, 'c')", "z", "c"),
    ("lookup(x, {'a': 'b'})", "z", None),
    ("lookup(int(x), {1: 10})", "1", 10),
    ("concat(x, '/', y)", "a", "a/"),
    ("upper(trim(x))", " a ", "A"),
    ("lower(x)", "A", "a"),
    ("length(x)", "套餐", 2),
    ("substr(x, 2, 2)", "abcd", "bc"),
    ("replace(x, '.', '')", "a.b", "ab"),
    ("contains(x, 'b')", "abc", True),
    ("starts_with(x, 'b')", "abc", False),
    ("ends_with(x, 'c')", "abc", True),
    ("regexp_extract(x, '^([^?]*)', 1)", "/a?b", "/a"),
    ("regexp_extract(x, '(z)')", "abc", None),
    ("regexp_like(x, '[.]css$')", "a.css", True),
    ("json_get(x, 'a.b')", '{"a": {"b": "c"}}', "c"),
    ("json_get(x, '0.id')", '[{"id": "c"}]', "c"),
    ("json_get(x, 'a')", "no json", None),
    ("x in ['a', 'b']", "a", True),
    ("not x in ['a', 'b']", "a", False),
    ("int(x) + 1 * 2", "1", 3),
    ("int(x) / 0", "1", FAILED),
    ("int(x) * 9223372036854775807", "2", FAILED),
    ("int(x) % 3", "7", 1),
    ("-int(x)", "7", -7),
    ("abs(-int(x))", "7", 7),
    ("round(float(x))", "2.5", 3),
    ("int(x) >= 500 and int(x) < 600 or x == 'a'", "503", True),
    ("seconds_between(timestamp(x), timestamp('2021-03-01T12:00:00.5Z'))", "2021-03-01T12:00:00Z", 0.5),
    ("pseudonym(x)", " 42 ", pseudonym("42")),
    ("pseudonym(x, date('2020-01-02'))", "42", pseudonym("42|2020-01-02")),
    ("pseudonym(x)", None, None),
    ("device_hash(x, 'agent')", "1.2.3.4", keyed_hash.device_id(KEY, "1.2.3.4agent")),
    ("msisdn(x)", "+86 138-0013-8000", "13800138000"),
    ("msisdn(x)", "008613800138000", "13800138000"),
    ("msisdn(x)", "１３８００１３８０００", "13800138000"),
    ("msisdn(x)", "86 (138) 0013–8000", "13800138000"),
    ("msisdn(x)", "\u00a0（138）　0013－8000", "13800138000"),
    ("msisdn(x)", "13800138000.0", "13800138000"),  # a spreadsheet was here
    ("msisdn(float(x))", "13800138000", "13800138000"),
    ("msisdn(x)", "1380013800", FAILED),
    ("msisdn(x)", "138001380000", FAILED),
    ("msisdn(x)", "12800138000", FAILED),
    ("msisdn(x)", "1380013800O", FAILED),
    ("msisdn(x)", " - ", None),
    ("msisdn(x)", None, None),
    ("map(b=x, a=int('1'), c=y)", "2", {"a": "1", "b": "2"}),
    ("map(a=y)", "2", None),
    ("column('Order No')", None, "7"),
    ("text(int(x))", "7", "7"),
]


def scope() -> Scope:
    columns = {"x": Typed(F.col("x"), Sort.TEXT), "y": Typed(F.lit(None).cast("string"), Sort.TEXT)}
    columns["Order No"] = Typed(F.lit("7"), Sort.TEXT)
    return Scope(columns, "Europe/Berlin", keyed_hash.subscriber_ids(KEY), keyed_hash.device_ids(KEY))


def test_every_function_gives_what_it_says(spark):
    selected = []
    for n, (text, _, _) in enumerate(CASES):
        value = compiled(parse(text, SOURCE_DIALECT), scope())
        column = F.unix_micros(value.column) if value.sort is Sort.TIME else value.column
        failed = F.coalesce(value.failed, F.lit(False)) if value.failed is not None else F.lit(False)
        selected.append(F.struct(column.alias("value"), failed.alias("failed")).alias(f"r{n}"))
    inputs = list(dict.fromkeys(value for _, value, _ in CASES))
    rows = spark.createDataFrame([(value,) for value in inputs], "x string").select("x", *selected).collect()
    by_input = {row["x"]: row for row in rows}
    found = [by_input[value][f"r{n}"] for n, (_, value, _) in enumerate(CASES)]
    assert [(t, v, FAILED if r["failed"] else r["value"]) for (t, v, _), r in zip(CASES, found, strict=True)] == CASES


def test_every_function_is_compiled_and_tried():
    assert set(CALLS) == set(FUNCTIONS) - {"column"}
    tried = " ".join(text for text, _, _ in CASES)
    assert [name for name in FUNCTIONS if f"{name}(" not in tried and name != "if_else"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x + 1", "`+` needs int or float or decimal, found text; convert it with int(x)"),
        ("x >= 500", "`>=` compares text with int; convert one side"),
        ("int(x) in ['1']", "`in` compares int with text"),
        ("not x", "`not` needs bool, found text"),
        ("timestamp(int(x))", "say its unit: epoch(x, 's')"),
        ("1 if x == 'a' else 'b'", "the alternatives are of different kinds"),
        ("epoch(x, 'h')", "unknown unit 'h'; allowed: s, ms, us"),
        ("json_get(x, '$..a')", "write names joined by dots"),
        ("regexp_like(x, '" + "a" * 201 + "')", "a pattern is a text of 1 to 200 characters"),
        ("'a' * 3", "`*` needs int"),
        ("z", "unknown column 'z'"),
        ("x in ['a', None]", "mixes kinds or holds None"),
    ],
)
def test_wrong_kinds_are_refused_before_a_row_is_read(spark, text, message):
    with pytest.raises(ExpressionError) as refused:
        compiled(parse(text, SOURCE_DIALECT), scope())
    assert message in str(refused.value)
