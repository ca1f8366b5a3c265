"""Rows as an aligned text table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO, Any
from unicodedata import east_asian_width

import click


def echo_table(header: Sequence[str], rows: Iterable[Sequence[Any]], file: IO[Any] | None = None) -> None:
    """Numbers to the right, with thousands separated; everything else to the left."""
    body = [list(row) for row in rows]
    cells = [list(header), *([_text(value) for value in row] for row in body)]
    widths = [max(width(row[i]) for row in cells) for i in range(len(header))]
    numeric = [any(isinstance(row[i], int | float) for row in body) for i in range(len(header))]
    for row in cells:
        aligned = (_aligned(t, w, n) for t, w, n in zip(row, widths, numeric, strict=True))
        click.echo("  ".join(aligned).rstrip(), file=file)


def width(text: str) -> int:
    """What a terminal shows: a Chinese character is as wide as two letters."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _aligned(text: str, wanted: int, right: bool) -> str:
    space = " " * (wanted - width(text))
    return space + text if right else text + space


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
