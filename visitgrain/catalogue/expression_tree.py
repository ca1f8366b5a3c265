"""What an expression is once parsed: a small frozen tree, and the dialect that says which functions and names exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from visitgrain.errors import suggestion

Scalar = None | bool | int | float | str


@dataclass(frozen=True)
class Literal:
    """A constant."""

    value: Scalar


@dataclass(frozen=True)
class Name:
    """A column, a measure, …: what the dialect calls `noun`."""

    name: str


@dataclass(frozen=True)
class Items:
    """The right side of `in`: constants."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Pairs:
    """A `{key: value}` mapping of constants."""

    pairs: tuple[tuple[Scalar, Scalar], ...]


@dataclass(frozen=True)
class Call:
    """A function or an operator (`+`, `==`, `and`, …) with its operands."""

    function: str
    arguments: tuple[Node, ...]
    named: tuple[tuple[str, Node], ...] = ()


Node = Literal | Name | Items | Pairs | Call

ARITHMETIC = ("+", "-", "*", "/", "%")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
OPERATORS = frozenset({*ARITHMETIC, *COMPARISONS, "and", "or", "not", "in"})


@dataclass(frozen=True)
class Function:
    """What the parser must know of a function. `constants` are positions of arguments that must be constants."""

    usage: str
    summary: str
    least: int = 1
    most: int | None = 1  # None = any number
    constants: tuple[int, ...] = ()
    named: bool = False  # takes key=value arguments


@dataclass(frozen=True)
class Dialect:
    """What exists in one use of the language. `names` None = any (they are checked later, with `check_names`)."""

    functions: Mapping[str, Function]
    operators: frozenset[str] = OPERATORS
    names: Collection[str] | None = None
    noun: str = "column"
    quoted_names: str | None = "column"  # function that names something with spaces: column('Order No')
    sets: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)  # named right sides of `in`


class ExpressionError(ValueError):
    """Text that is not an expression of the dialect. Pydantic reports it with file and line."""


def names_in(tree: Node) -> set[str]:
    """All names that the tree reads."""
    return {node.name for node in walk(tree) if isinstance(node, Name)}


def walk(tree: Node) -> Iterator[Node]:
    yield tree
    if isinstance(tree, Call):
        for child in (*tree.arguments, *(value for _, value in tree.named)):
            yield from walk(child)


def unknown_name(name: str, allowed: Collection[str], noun: str = "column") -> str:
    """The message for a name that does not exist."""
    known = sorted(allowed)
    hint = suggestion(name, known)
    if not hint and name.lower() in {"null", "none", "true", "false"}:
        hint = f"; write {'None' if name.lower() in {'null', 'none'} else name.capitalize()}"
    elif not hint:
        shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        hint = f"; known: {shown or 'none'}; a constant text needs quotes of its own: \"'{name}'\""
    return f"unknown {noun} {name!r}{hint}"


def check_names(tree: Node, allowed: Collection[str], noun: str = "column") -> None:
    """Raises ExpressionError when the tree reads a name outside `allowed`."""
    wrong = sorted(names_in(tree) - set(allowed))
    if wrong:
        raise ExpressionError("; ".join(unknown_name(name, allowed, noun) for name in wrong))
