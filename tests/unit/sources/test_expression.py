"""The expression language refuses everything that is not on its list, with a message that says what to write."""

from __future__ import annotations

import pytest

from visitgrain.catalogue.expression import MAX_DEPTH, MAX_LENGTH, parse, parse_at
from visitgrain.catalogue.expression_tree import (
    Call,
    Dialect,
    ExpressionError,
    Function,
    Literal,
    Name,
    Pairs,
    check_names,
    names_in,
)
from visitgrain.catalogue.source_functions import FUNCTIONS, SOURCE_DIALECT
from visitgrain.errors import ConfigError

HOSTILE = [
    "__import__('os').system('id')",
    "__import__('os')",
    "eval('1')",
    "exec('1')",
    "compile('1', '', 'eval')",
    "open('/etc/passwd')",
    "globals()",
    "locals()",
    "vars(x)",
    "dir()",
    "getattr(x, 'y')",
    "setattr(x, 'y', 1)",
    "input()",
    "print(x)",
    "breakpoint()",
    "exit()",
    "type(x)",
    "().__class__",
    "x.__class__.__mro__",
    "''.join(x)",
    "'a'.format(x)",
    "x.y",
    "x.y()",
    "x[0]",
    "x[0:2]",
    "x[y]",
    "(lambda: 1)()",
    "lambda x: x",
    "[c for c in x]",
    "{c for c in x}",
    "{c: 1 for c in x}",
    "(c for c in x)",
    "[1, 2]",
    "(1, 2)",
    "{1, 2}",
    "[*x]",
    "f'{x}'",
    "f'{x!r:>{y}}'",
    "b'x'",
    "1j",
    "...",
    "x := 1",
    "(x := 1)",
    "x = 1",
    "x; y",
    "import os",
    "del x",
    "yield x",
    "(yield x)",
    "await x",
    "x if y",
    "x ** 2",
    "2 ** 9999999",
    "x // 2",
    "x @ y",
    "x << 2",
    "x >> 2",
    "x | y",
    "x & y",
    "x ^ y",
    "~x",
    "x is y",
    "x is None",
    "x == None",
    "None != x",
    "x in y",
    "x in 'abc'",
    "x in []",
    "x in [y]",
    "x in [[1]]",
    "int(*x)",
    "map(**x)",
    "int(x=1)",
    "int()",
    "int(x, y)",
    "if_else(x, y)",
    "lookup(x)",
    "lookup(x, {y: 1})",
    "lookup(x, {'a': y})",
    "lookup(x, {**y})",
    "lookup(x, {'a': 1, 'a': 2})",
    "regexp_extract(x, y)",
    "epoch(x, unit)",
    "int(x)(y)",
    "__builtins__",
    "int.__call__(x)",
    "9" * 40,
    "1e999",
    "'" + "a" * 2000 + "'",
    "'a\\0b'",
    "'\\ud800'",
    "x\0",
    "",
    "   ",
    "#",
    "'unclosed",
    "(" * 300 + ")" * 300,
    "-" * 3000 + "1",
    "not " * 900 + "x",
    "x" + " + x" * 1500,
    "+".join(["x"] * 100),
    "abs(" * 40 + "x" + ")" * 40,
    "a" * (MAX_LENGTH + 1),
    "DROP TABLE events",
    "x; DROP TABLE events --",
    "$(id)",
    "`id`",
    "x\ny",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:40]))
def test_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text, SOURCE_DIALECT)
    assert len(str(refused.value)) < 1_500


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", Name("a")),
        ("'a'", Literal("a")),
        ("-5", Literal(-5)),
        ("-a", Call("-", (Literal(0), Name("a")))),
        ("column('Order No')", Name("Order No")),
        ("not is_null(a)", Call("not", (Call("is_null", (Name("a"),)),))),
        ("1 < a <= 3", Call("and", (Call("<", (Literal(1), Name("a"))), Call("<=", (Name("a"), Literal(3)))))),
        ("'x' if a else 'y'", Call("if_else", (Name("a"), Literal("x"), Literal("y")))),
        ("lookup(a, {'1': 2})", Call("lookup", (Name("a"), Pairs((("1", 2),))))),
        ("map(b=x, a='1')", Call("map", (), (("a", Literal("1")), ("b", Name("x"))))),
        (r"regexp_like(a, '\d+')", Call("regexp_like", (Name("a"), Literal(r"\d+")))),
    ],
)
def test_tree(text: str, tree: object) -> None:
    assert parse(text, SOURCE_DIALECT) == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epch(x, 's')", "unknown function 'epch'; did you mean 'epoch'?"),
        ("epoch(x)", "epoch() got 1 arguments; write epoch(x, 's')"),
        ("user.id", "write json_get(x, 'a.b')"),
        ("x == None", "write is_null(x)"),
        ("int(x, base=2)", "int() takes no key=value arguments; write int(x)"),
    ],
)
def test_message_says_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text, SOURCE_DIALECT)
    assert message in str(refused.value)


def test_unknown_column_has_place_and_suggestion() -> None:
    dialect = Dialect(FUNCTIONS, names=("user_id", "page"))
    with pytest.raises(ConfigError, match=r"^shop\.yaml:12: page: unknown column 'usr_id'; did you mean 'user_id'\?$"):
        parse_at("concat(usr_id, page)", dialect, "shop.yaml:12: page")


def test_unquoted_constant_is_explained() -> None:
    with pytest.raises(ExpressionError, match="a constant text needs quotes of its own"):
        check_names(parse("web", SOURCE_DIALECT), ["user_id"])


def test_dialect_decides_functions_operators_and_names() -> None:
    formula = Dialect({"sum": Function("sum(m)", "")}, frozenset({"/"}), names=["orders"], noun="measure")
    assert names_in(parse("sum(orders) / 2", formula)) == {"orders"}
    for text, message in [
        ("orders + 1", "operator"),
        ("clicks", "unknown measure"),
        ("int(orders)", "unknown function"),
    ]:
        with pytest.raises(ExpressionError, match=message):
            parse(text, formula)


def test_depth_limit_is_exact() -> None:
    deepest = "abs(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH
    assert names_in(parse(deepest, SOURCE_DIALECT)) == {"x"}
    with pytest.raises(ExpressionError, match="nested"):
        parse(f"abs({deepest})", SOURCE_DIALECT)
