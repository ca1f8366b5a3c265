"""Rows as an aligned text table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click


def echo_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Numbers to the right, with thousands separated; everything else to the left."""
    body = [list(row) for row in rows]
    cells = [list(header), *([_text(value) for value in row] for row in body)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    numeric = [any(isinstance(row[i], int | float) for row in body) for i in range(len(header))]
    for row in cells:
        aligned = (t.rjust(w) if n else t.ljust(w) for t, w, n in zip(row, widths, numeric, strict=True))
        click.echo("  ".join(aligned).rstrip())


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
