"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table; `|` inside a cell is escaped."""
    return [_row(headings), "|" + "---|" * len(headings), *(_row(row) for row in rows)]


def code(value: object) -> str:
    """The value as code; nothing stays nothing."""
    return "" if value in (None, "") else f"`{value}`"


def codes(values: Iterable[object]) -> str:
    return ", ".join(code(value) for value in values)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", r"\|") for cell in cells) + " |"
