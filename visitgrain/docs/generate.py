"""Writes docs/generated: a page and a data contract for every table, and an index of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from visitgrain.docs.breaking import undeclared
from visitgrain.docs.contracts import contract
from visitgrain.docs.lineage import Lineage
from visitgrain.docs.pages import index_page, table_page
from visitgrain.errors import GateRefused
from visitgrain.tables import TABLES

FOLDER = Path("docs/generated")
CONTRACTS = FOLDER / "contracts"
PAGES = FOLDER / "tables"


def generate(root: Path, *, jobs: Iterable[Any], check: bool = False) -> list[str]:
    """Brings the generated files under `root` up to date and returns those that changed, sorted.

    With `check` nothing is written. Raises GateRefused when a contract would break its readers unannounced.
    """
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8") if changelog.is_file() else ""
    if broken := undeclared(root / CONTRACTS, TABLES, text):
        raise GateRefused(
            "\n".join(f"{CONTRACTS}: {line}" for line in broken)
            + "\nthese changes break readers; keep the columns, or name each as `table.column` under"
            " '## [Unreleased]' in CHANGELOG.md"
        )
    wanted = files(jobs)
    present = {path.relative_to(root) for folder in (PAGES, CONTRACTS) for path in (root / folder).glob("*.*")}
    stale = present - wanted.keys()
    changed = [name for name, content in wanted.items() if _read(root / name) != content]
    if not check:
        for name in changed:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(wanted[name], encoding="utf-8")
        for name in stale:
            (root / name).unlink()
    return sorted(str(name) for name in (*changed, *stale))


def files(jobs: Iterable[Any]) -> dict[Path, str]:
    """Content of every generated file by its path in the repository."""
    lineage = Lineage.of(jobs)
    content = {PAGES / "README.md": index_page(TABLES.values())}
    for table in TABLES.values():
        content[PAGES / f"{table.name}.md"] = table_page(table, lineage)
        content[CONTRACTS / f"{table.name}.odcs.yaml"] = contract(table)
    return content


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
