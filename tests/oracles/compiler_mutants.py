"""Programs that differ from the compiler of metrics in one operator or function."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

from tests.oracles.formula_mutants import OTHERS

OTHERS_HERE = {
    **OTHERS,
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
}
NAMED = {  # of numpy
    **{"maximum": "minimum", "logical_or": "logical_and", "logical_and": "logical_or"},
    **{"less": "less_equal", "less_equal": "less", "greater": "greater_equal", "greater_equal": "greater"},
    **{"equal": "not_equal", "not_equal": "equal", "ones": "zeros", "zeros": "ones", "floor": "ceil", "log": "log2"},
}
MUTATED = ("values", "outer", "cells", "population_rows")  # date_sets has a test against sets of Python
# What was imported from a module that changes is imported again, in this order.
LINKED = (
    *("date_sets", "values", "outer", "states", "sums_of_days", "bucket", "frames", "cells", "population_rows"),
    *("populations", "subscribers"),
)
TESTS = "tests.oracles.reference_metrics"


class Mutant(NamedTuple):
    """A changed program instead of a module of `visitgrain.metrics`; `line` of the operator."""

    module: str
    line: int
    change: str
    program: ast.Module

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.change}"


def compiler_mutants() -> Iterator[Mutant]:
    """One for each other operator or function in the body of a function."""
    for name in MUTATED:
        tree = ast.parse(inspect.getsource(_module(name)))
        places = {id(node): place for place, node in enumerate(ast.walk(tree))}
        for node in _computed(tree):
            for field, other in _changes(node):
                changed = copy.deepcopy(tree)
                found = list(ast.walk(changed))[places[id(node)]]
                setattr(found, field, other)
                change = f"{ast.unparse(node)} -> {ast.unparse(found)}"
                yield Mutant(name, node.lineno, change, changed)  # type: ignore[attr-defined]


@contextmanager
def in_place(mutant: Mutant) -> Iterator[None]:
    """The mutant runs for everybody who imports the module. Its code is our own but for one operator."""
    try:
        exec(compile(mutant.program, f"<mutant of {mutant.module}>", "exec"), _module(mutant.module).__dict__)
        _link(LINKED[LINKED.index(mutant.module) + 1 :])
        yield
    finally:
        _link(LINKED)


def _link(names: Iterable[str]) -> None:
    for name in names:
        importlib.reload(_module(name))
    importlib.reload(importlib.import_module(TESTS))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"visitgrain.metrics.{name}")


def _computed(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs inside of functions, and tables of functions: no types."""
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Dict) for node in node.values)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for statement in function.body:
            yield from (node for node in ast.walk(statement) if isinstance(node, MUTABLE))


MUTABLE = (ast.BinOp, ast.BoolOp, ast.Compare, ast.AugAssign, ast.UnaryOp, ast.Attribute)


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    match node:
        case ast.Compare(ops=[operator]):
            yield from (("ops", [other()]) for other in OTHERS_HERE.get(type(operator), ()))
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) | ast.AugAssign(op=operator):
            yield from (("op", other()) for other in OTHERS_HERE.get(type(operator), ()))
        case ast.UnaryOp(op=ast.Invert() | ast.Not()):
            yield "op", ast.UAdd()
        case ast.Attribute(attr=name) if name in NAMED:
            yield "attr", NAMED[name]
