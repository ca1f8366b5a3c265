"""Expression tree -> Spark column, for source mappings. Typed, so that no row can raise under ANSI rules."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.expression_tree import (
    ARITHMETIC,
    COMPARISONS,
    Call,
    ExpressionError,
    Items,
    Literal,
    Name,
    Node,
    Pairs,
    unknown_name,
)
from visitgrain.catalogue.source_functions import FUNCTIONS
from visitgrain.expressions.source_calls import CALLS, sort_of
from visitgrain.expressions.typed import NUMBERS, TEXTS, Scope, Sort, Typed, failures, need


def compiled(tree: Node, scope: Scope) -> Typed:
    """The tree over the columns of `scope`. Raises ExpressionError: unknown column, wrong kind."""
    match tree:
        case Literal(value):
            return Typed(F.lit(value), sort_of(type(value)))
        case Name(name):
            if name not in scope.columns:
                raise ExpressionError(unknown_name(name, scope.columns))
            return scope.columns[name]
        case Call(function, arguments, named):
            if function == "in":
                return _contained(compiled(arguments[0], scope), arguments[1])
            if function in FUNCTIONS:
                return _call(function, arguments, named, scope)
            return _operator(function, [compiled(argument, scope) for argument in arguments])
        case Pairs() | Items():
            raise ExpressionError("a mapping or list of constants stands only in lookup(x, {…}) and after `in`")


def _call(function: str, arguments: tuple[Node, ...], named: tuple[tuple[str, Node], ...], scope: Scope) -> Typed:
    constants = FUNCTIONS[function].constants
    operands = [
        _constant(node) if position in constants else compiled(node, scope) for position, node in enumerate(arguments)
    ]
    return CALLS[function](scope, *operands, **{key: compiled(node, scope) for key, node in named})


def _constant(node: Node) -> object:
    return node.value if isinstance(node, Literal) else node


def _operator(symbol: str, operands: list[Typed]) -> Typed:
    failed = failures(*operands)
    if symbol in ("and", "or", "not"):
        tests = [need(operand, (Sort.BOOL,), f"`{symbol}`").column for operand in operands]
        if symbol == "not":
            return Typed(~tests[0], Sort.BOOL, failed)
        return Typed(reduce(lambda a, b: a & b if symbol == "and" else a | b, tests), Sort.BOOL, failed)
    left, right = operands
    if symbol in ARITHMETIC:
        return _arithmetic(symbol, left, right)
    _comparable(symbol, left, right)
    return Typed(_compare(symbol, left.column, right.column), Sort.BOOL, failed)


def _arithmetic(symbol: str, left: Typed, right: Typed) -> Typed:
    """Overflow and division by zero give a missing value that counts as failed."""
    for side in (left, right):
        need(side, NUMBERS, f"`{symbol}`")
    whole = left.sort is Sort.INT and right.sort is Sort.INT and symbol != "/"
    kind = "bigint" if whole else "double"
    a, b = left.column.cast(kind), right.column.cast(kind)
    function = {"+": F.try_add, "-": F.try_subtract, "*": F.try_multiply, "/": F.try_divide, "%": F.try_mod}[symbol]
    result = function(a, b)
    inputs = Typed(F.when(a.isNotNull(), b), Sort.INT, failures(left, right))
    return inputs.converted(result, Sort.INT if whole else Sort.FLOAT)


def _comparable(symbol: str, left: Typed, right: Typed) -> None:
    if left.sort is right.sort or Sort.NULL in (left.sort, right.sort):
        return
    if {left.sort, right.sort} <= set(NUMBERS) or {left.sort, right.sort} <= set(TEXTS):
        return
    raise ExpressionError(
        f"`{symbol}` compares {left.sort} with {right.sort}; convert one side: int(x), text(x), timestamp(x), …"
    )


def _compare(symbol: str, a: Column, b: Column) -> Column:
    assert symbol in COMPARISONS
    return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[symbol]


def _contained(value: Typed, items: Node) -> Typed:
    assert isinstance(items, Items)
    sorts = {sort_of(type(item)) for item in items.values}
    if len(sorts) != 1 or Sort.NULL in sorts:
        raise ExpressionError("the list after `in` mixes kinds or holds None; write is_null(x) or x in ['a', 'b']")
    _comparable("in", value, Typed(value.column, sorts.pop()))
    return Typed(value.column.isin(*items.values), Sort.BOOL, value.failed)
