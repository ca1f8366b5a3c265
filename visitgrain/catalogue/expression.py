"""The expression language of source mappings and formulas: Python syntax, parsed with `ast`, never evaluated.

`parse` turns text into a small frozen tree (expression_tree.py). A `Dialect` says which functions and names exist.
Everything that is not on the list is refused: attributes, subscripts, lambdas, comprehensions, f-strings, keywords, …
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from visitgrain.catalogue.expression_tree import (
    OPERATORS,
    Call,
    Dialect,
    ExpressionError,
    Items,
    Literal,
    Name,
    Node,
    Pairs,
    Scalar,
    unknown_name,
)
from visitgrain.errors import ConfigError, suggestion

MAX_LENGTH = 4_000  # characters of one expression
MAX_DEPTH = 30
MAX_TEXT = 1_000  # characters of one text literal
MAX_ITEMS = 500  # of a list or a mapping
MAX_INT = 2**63 - 1

BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.Pow: "**"}
COMPARISONS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


def parse(text: str, dialect: Dialect) -> Node:
    """`text` as a tree. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {MAX_LENGTH} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # '\d' in a pattern is meant as written
            body = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"not an expression: {error.msg} in {text.strip()[:80]!r}") from None
    except (RecursionError, MemoryError, ValueError):
        raise ExpressionError(
            f"not an expression: nested too deeply or with NUL characters; at most {MAX_DEPTH} levels"
        ) from None
    return _Parser(dialect).node(body, 0)


def parse_at(text: str, dialect: Dialect, place: str) -> Node:
    """`parse` for callers outside pydantic: raises ConfigError that starts with `place` (file:line: entry)."""
    try:
        return parse(text, dialect)
    except ExpressionError as error:
        raise ConfigError(f"{place}: {error}") from None


@dataclass(frozen=True)
class _Parser:
    """One method per allowed node type of `ast`; `depth` counts the levels above the node."""

    dialect: Dialect

    def node(self, node: ast.AST, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} levels deep; split it")
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise ExpressionError(f"{_describe(node)} is not allowed{_HINTS.get(type(node), '')}")
        return handler(self, node, depth + 1)

    def constant(self, node: ast.Constant, _: int) -> Node:
        return Literal(_scalar(node.value))

    def name(self, node: ast.Name, _: int) -> Node:
        return self.named(node.id)

    def named(self, name: str) -> Name:
        dialect = self.dialect
        if name.startswith("__"):
            raise ExpressionError(f"the name {name!r} is not allowed")
        if dialect.names is not None and name not in dialect.names:
            raise ExpressionError(unknown_name(name, dialect.names, dialect.noun))
        return Name(name)

    def call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name):
            raise ExpressionError(f"{_describe(node.func)} cannot be called; functions are called by their name")
        name = node.func.id
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise ExpressionError(f"{name}(): * and ** are not allowed")
        if name == self.dialect.quoted_names and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            return self.named(str(_scalar(node.args[0].value)))
        arguments = tuple(self.node(a, depth) for a in node.args)
        named = tuple(sorted((str(k.arg), self.node(k.value, depth)) for k in node.keywords))
        self.check_call(name, arguments, named)
        return Call(name, arguments, named)

    def check_call(self, name: str, arguments: tuple[Node, ...], named: tuple[tuple[str, Node], ...]) -> None:
        function = self.dialect.functions.get(name)
        if function is None:
            known = sorted(self.dialect.functions)
            raise ExpressionError(f"unknown function {name!r}{suggestion(name, known)}; known: {', '.join(known)}")
        if named and not function.named:
            raise ExpressionError(f"{name}() takes no key=value arguments; write {function.usage}")
        count = len(arguments)
        if count < function.least or (function.most is not None and count > function.most):
            raise ExpressionError(f"{name}() got {count} arguments; write {function.usage}")
        for position in function.constants:
            if position < count and isinstance(arguments[position], Name | Call):
                raise ExpressionError(f"{name}(): argument {position + 1} must be a constant; write {function.usage}")

    def operator(self, symbol: str, *operands: Node) -> Node:
        if symbol not in self.dialect.operators:
            raise ExpressionError(
                f"the operator {symbol!r} is not allowed here; allowed: {', '.join(sorted(self.dialect.operators))}"
            )
        return Call(symbol, operands)

    def binary(self, node: ast.BinOp, depth: int) -> Node:
        symbol = BINARY.get(type(node.op))
        if symbol is None:
            raise ExpressionError(
                f"the operator {_describe(node.op)} is not allowed; allowed: {', '.join(sorted(OPERATORS))}"
            )
        return self.operator(symbol, self.node(node.left, depth), self.node(node.right, depth))

    def unary(self, node: ast.UnaryOp, depth: int) -> Node:
        if isinstance(node.op, ast.Invert):
            raise ExpressionError("the operator ~ is not allowed; write not")
        operand = self.node(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return self.operator("not", operand)
        number = (
            isinstance(operand, Literal)
            and isinstance(operand.value, int | float)
            and not isinstance(operand.value, bool)
        )
        if isinstance(node.op, ast.UAdd):
            return operand
        if number:
            return Literal(-operand.value)  # type: ignore[union-attr,operator]
        return self.operator("-", Literal(0), operand)

    def boolean(self, node: ast.BoolOp, depth: int) -> Node:
        symbol = "and" if isinstance(node.op, ast.And) else "or"
        return self.operator(symbol, *(self.node(value, depth) for value in node.values))

    def compare(self, node: ast.Compare, depth: int) -> Node:
        sides = [node.left, *node.comparators]
        parts = [
            self.comparison(op, left, right, depth) for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
        ]
        return parts[0] if len(parts) == 1 else self.operator("and", *parts)

    def comparison(self, op: ast.cmpop, left: ast.expr, right: ast.expr, depth: int) -> Node:
        if isinstance(op, ast.In | ast.NotIn):
            found = self.operator("in", self.node(left, depth), _items(right, self.dialect))
            return found if isinstance(op, ast.In) else self.operator("not", found)
        if isinstance(op, ast.Is | ast.IsNot) or _is_none(right) or _is_none(left):
            raise ExpressionError(
                "a comparison with None or by `is` is not allowed; write is_null(x) or not is_null(x)"
            )
        return self.operator(COMPARISONS[type(op)], self.node(left, depth), self.node(right, depth))

    def condition(self, node: ast.IfExp, depth: int) -> Node:
        parts = tuple(self.node(part, depth) for part in (node.test, node.body, node.orelse))
        self.check_call("if_else", parts, ())
        return Call("if_else", parts)

    def mapping(self, node: ast.Dict, _: int) -> Node:
        if len(node.keys) > MAX_ITEMS:
            raise ExpressionError(f"a mapping of {len(node.keys)} entries; at most {MAX_ITEMS}")
        keys = [_constant(key, "a key of a mapping") for key in node.keys]
        if len(set(keys)) != len(keys):
            raise ExpressionError(f"a mapping with the same key twice: {sorted(map(str, keys))}")
        return Pairs(tuple(zip(keys, (_constant(v, "a value of a mapping") for v in node.values), strict=True)))


_HANDLERS: dict[type[ast.AST], Callable[..., Node]] = {
    ast.Constant: _Parser.constant,
    ast.Name: _Parser.name,
    ast.Call: _Parser.call,
    ast.BinOp: _Parser.binary,
    ast.UnaryOp: _Parser.unary,
    ast.BoolOp: _Parser.boolean,
    ast.Compare: _Parser.compare,
    ast.IfExp: _Parser.condition,
    ast.Dict: _Parser.mapping,
}
_HINTS = {
    ast.Attribute: "; for a field inside a JSON column write json_get(x, 'a.b')",
    ast.Subscript: "; for a field of a JSON column write json_get(x, 'a.b'); for a part of a text substr(x, 1, 8)",
    ast.JoinedStr: "; write concat(…)",
}


def _describe(node: ast.AST | None) -> str:
    return f"{type(node).__name__} ({ast.unparse(node)[:60]!r})" if isinstance(node, ast.expr) else type(node).__name__


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _items(node: ast.expr, dialect: Dialect) -> Items:
    if isinstance(node, ast.Name) and node.id in dialect.sets:
        return Items(tuple(dialect.sets[node.id]))
    if isinstance(node, ast.Name) and dialect.sets:
        raise ExpressionError(unknown_name(node.id, dialect.sets, "set"))
    if not isinstance(node, ast.List | ast.Tuple | ast.Set):
        raise ExpressionError("the right side of `in` must be a list of constants: x in ['a', 'b']")
    if not 0 < len(node.elts) <= MAX_ITEMS:
        raise ExpressionError(f"a list of {len(node.elts)} entries; 1 to {MAX_ITEMS} are allowed")
    return Items(tuple(_constant(element, "an entry of a list") for element in node.elts))


def _constant(node: ast.expr | None, what: str) -> Scalar:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = _scalar(node.operand.value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
    if not isinstance(node, ast.Constant):
        raise ExpressionError(f"{what} must be a constant, found {_describe(node)}")
    return _scalar(node.value)


def _scalar(value: object) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= MAX_INT:
        return value
    if isinstance(value, float) and abs(value) < float("inf"):
        return value
    if (
        isinstance(value, str)
        and len(value) <= MAX_TEXT
        and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    ):
        return value
    raise ExpressionError(
        f"a constant of type {type(value).__name__} or of that size is not allowed: {str(value)[:40]!r}"
    )
