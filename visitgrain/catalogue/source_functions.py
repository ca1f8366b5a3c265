"""The functions of source mappings: one entry each. Parser, compiler, README table and tests derive from this list."""

from __future__ import annotations

from visitgrain.catalogue.expression_tree import Dialect, Function

FUNCTIONS: dict[str, Function] = {
    "column": Function("column('Order No')", "a column whose name is not a plain word", constants=(0,)),
    # conversions: a value that cannot be converted sends the row to quarantine as type:<column>
    "text": Function("text(x)", "x as text"),
    "int": Function("int(x)", "x as a whole number; '3' and '3.0' are 3, '3.5' and 'abc' are refused"),
    "float": Function("float(x)", "x as a number; NaN and infinity are refused"),
    "bool": Function("bool(x)", "x as true or false; takes true, t, yes, y, 1 and their opposites"),
    "fen": Function("fen(x)", "an amount in yuan (or euro, pound, …) in hundredths, exact, rounded half up"),
    "timestamp": Function(
        "timestamp(x) or timestamp(x, 'dd/MMM/yyyy:HH:mm:ss Z')",
        "a time: ISO 8601, else a pattern of Java's DateTimeFormatter; without offset it is in the zone of the source",
        most=2,
        constants=(1,),
    ),
    "epoch": Function(
        "epoch(x, 's')", "a time from a number of seconds 's', milliseconds 'ms' or microseconds 'us'", 2, 2, (1,)
    ),
    "date": Function(
        "date(x) or date(x, 'dd.MM.yyyy')",
        "a day: yyyy-MM-dd by default; of a time its local day",
        most=2,
        constants=(1,),
    ),
    # nulls and choices
    "is_null": Function("is_null(x)", "true where x is missing"),
    "coalesce": Function(
        "coalesce(x, y, …)", "the first that is not missing; a failed conversion counts as missing", 1, None
    ),
    "if_else": Function(
        "if_else(condition, x, y)", "x where the condition is true, else y; also x if condition else y", 3, 3
    ),
    "lookup": Function(
        "lookup(x, {'a': 'b'}, default)", "x translated; default (or None) where no key fits", 2, 3, (1,)
    ),
    # text
    "concat": Function("concat(x, y, …)", "texts joined; missing ones are left out", 1, None),
    "lower": Function("lower(x)", "in small letters"),
    "upper": Function("upper(x)", "in capital letters"),
    "trim": Function("trim(x)", "without blanks at both ends"),
    "length": Function("length(x)", "number of characters"),
    "substr": Function("substr(x, 1, 8)", "part of a text: start (from 1) and length", 3, 3, (1, 2)),
    "replace": Function("replace(x, 'a', 'b')", "every 'a' in x replaced by 'b'", 3, 3, (1, 2)),
    "contains": Function("contains(x, 'a')", "true where x holds the text", 2, 2),
    "starts_with": Function("starts_with(x, 'a')", "true where x begins with the text", 2, 2),
    "ends_with": Function("ends_with(x, 'a')", "true where x ends with the text", 2, 2),
    "regexp_extract": Function(
        "regexp_extract(x, '^/shop/([^/]+)', 1)",
        "the group of the first match (0 = all of it); missing without match",
        2,
        3,
        (1, 2),
    ),
    "regexp_like": Function("regexp_like(x, '[.]css$')", "true where the pattern is found in x", 2, 2, (1,)),
    "json_get": Function(
        "json_get(x, 'a.b')", "a field of a JSON text or nested column, as text; 'items.0.sku' works too", 2, 2, (1,)
    ),
    # numbers and times
    "abs": Function("abs(x)", "without sign"),
    "round": Function("round(x)", "to the nearest whole number, half away from zero"),
    "seconds_between": Function(
        "seconds_between(earlier, later)", "seconds from one time to a later one, with fractions", 2, 2
    ),
    # identity
    "pseudonym": Function(
        "pseudonym(number) or pseudonym(number, activation)",
        "subscriber id: 63 bits of a keyed hash (HMAC-SHA-256) of the number and, where given, its activation date",
        most=2,
    ),
    "msisdn": Function(
        "msisdn(x)",
        "a Chinese mobile number in one form (+86, 0086, blanks, dashes, wide digits removed), else refused",
    ),
    "device_hash": Function(
        "device_hash(ip, agent, …)", "a keyed hash as device id, where the log has only address and browser", 1, None
    ),
    # maps
    "map": Function(
        "map(status=x, bytes=y)", "several values by name, for props; missing ones are left out", 0, 0, named=True
    ),
}

SOURCE_DIALECT = Dialect(FUNCTIONS)
MAX_PATTERN = 200  # characters of a regular expression
EPOCH_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def function_table() -> str:
    """The functions as a Markdown table, for conf/sources/README.md."""
    rows = [f"| `{f.usage}` | {f.summary} |" for f in FUNCTIONS.values()]
    return "\n".join(["| write | meaning |", "|---|---|", *rows])
