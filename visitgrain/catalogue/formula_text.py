"""Trees written back in the language of formulas."""

from __future__ import annotations

from visitgrain.catalogue.expression_tree import Call, Literal, Name, Node

# Operators from loose to tight, as formulas are read; comparisons and powers do not chain.
_TIGHTNESS = {"or": 1, "and": 2, "not": 3, "+": 5, "-": 5, "*": 6, "/": 6, "**": 8}
COMPARISON, _CALL = 4, 9


def text_of(tree: Node, least: int = 0) -> str:
    """A formula that parses to this tree, in brackets where it holds less tightly than `least`."""
    text, tightness = _text(tree)
    return text if tightness >= least else f"({text})"


def _text(tree: Node) -> tuple[str, int]:
    """Text and how tightly it holds together."""
    match tree:
        case Literal(value):
            negative = isinstance(value, int | float) and value < 0
            return repr(value), 7 if negative else _CALL
        case Name(name):
            return name, _CALL
        case Call("not", (inner,)):
            return f"not {text_of(inner, _TIGHTNESS['not'])}", _TIGHTNESS["not"]
        case Call("and" | "or" as function, arguments):
            own = _TIGHTNESS[function]
            return f" {function} ".join(text_of(argument, own + 1) for argument in arguments), own
        case Call(function, (left, right)) if not function.isidentifier():
            own = _TIGHTNESS.get(function, COMPARISON)
            loose_left = own if function in _TIGHTNESS and function != "**" else own + 1
            return f"{text_of(left, loose_left)} {function} {text_of(right, own + 1)}", own
        case Call(function, arguments):
            return f"{function}({', '.join(text_of(argument) for argument in arguments)})", _CALL
    raise AssertionError(f"no formula has {tree}")
