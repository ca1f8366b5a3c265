"""Formulas with one thing wrong: an operator, a comparison, a boundary, a look-back."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

OTHERS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt,),
    ast.Lt: (ast.LtE,),
    ast.LtE: (ast.Lt,),
    ast.Eq: (ast.NotEq,),
    ast.And: (ast.Or,),
}


def mutants(formula: str) -> Iterator[str]:
    """Each differs from the formula in one operator, or looks one window further back."""
    tree = ast.parse(formula, mode="eval")
    for place, node in enumerate(ast.walk(tree)):
        for changed in _changed(node):
            other = copy.deepcopy(tree)
            changed(list(ast.walk(other))[place])
            yield ast.unparse(other)


def _changed(node: ast.AST) -> Iterator:
    if isinstance(node, ast.BinOp | ast.BoolOp):
        for other in OTHERS.get(type(node.op), ()):
            yield lambda found, other=other: setattr(found, "op", other())
    elif isinstance(node, ast.Compare):
        for other in OTHERS.get(type(node.ops[0]), ()):
            yield lambda found, other=other: setattr(found, "ops", [other()])
    elif isinstance(node, ast.Call) and node.func.id == "prev":
        yield lambda found: setattr(found, "args", [found.args[0], ast.Constant(_back(found) + 1)])


def _back(call: ast.Call) -> int:
    return call.args[1].value if len(call.args) > 1 else 1
