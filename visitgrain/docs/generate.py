"""Writes what follows from the declarations: pages, data contracts, editors' schemas and the columns of tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from visitgrain.catalogue.metrics import load_metrics
from visitgrain.catalogue.table_columns import as_json
from visitgrain.docs.breaking import undeclared
from visitgrain.docs.contracts import contract
from visitgrain.docs.lineage import Lineage
from visitgrain.docs.metric_pages import metrics_page
from visitgrain.docs.pages import index_page, table_page
from visitgrain.docs.schemas import schemas
from visitgrain.errors import GateRefused
from visitgrain.tables import TABLES

FOLDER = Path("docs/generated")
CONTRACTS = FOLDER / "contracts"
PAGES = FOLDER / "tables"
CATALOGUE = Path("conf/catalogue")
COLUMNS = Path("visitgrain/tables/columns.json")


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
    wanted = files(root, jobs)
    present = {path.relative_to(root) for folder in (PAGES, CONTRACTS) for path in (root / folder).glob("*.*")}
    stale = present - wanted.keys()
    changed = [name for name, content in wanted.items() if _read(root / name) != content]
    if not check:
        for name in changed:
            _write(root / name, wanted[name])
        for name in stale:
            (root / name).unlink()
    return sorted(str(name) for name in (*changed, *stale))


def files(root: Path, jobs: Iterable[Any]) -> dict[Path, str]:
    """Content of every generated file by its path in the repository."""
    return table_files(jobs) | (catalogue_files(root) if (root / CATALOGUE).is_dir() else {})


def table_files(jobs: Iterable[Any]) -> dict[Path, str]:
    """Pages and contracts of the declared tables."""
    lineage = Lineage.of(jobs)
    content = {PAGES / "README.md": index_page(TABLES.values())}
    for table in TABLES.values():
        content[PAGES / f"{table.name}.md"] = table_page(table, lineage)
        content[CONTRACTS / f"{table.name}.odcs.yaml"] = contract(table)
    return content


def catalogue_files(root: Path) -> dict[Path, str]:
    """What follows from the metric catalogue under `root`. Raises ConfigError when that is not valid."""
    catalogue = load_metrics(root / CATALOGUE)
    content = {FOLDER / "metrics.md": metrics_page(catalogue), COLUMNS: as_json(catalogue)}
    return content | {CATALOGUE / name: text for name, text in schemas().items()}


def update_columns(root: Path) -> bool:
    """Writes columns.json, from which tables are declared at import. True when it changed: a new process is needed."""
    wanted = as_json(load_metrics(root / CATALOGUE))
    if _read(root / COLUMNS) == wanted:
        return False
    _write(root / COLUMNS, wanted)
    return True


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
