"""Changes of a data contract that break its readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from visitgrain.tables import Kind, Table


def breaking_changes(committed: str, table: Table) -> list[tuple[str, str]]:
    """(table.column, what happened) for each column of the committed contract that is gone, retyped or now nullable."""
    found = []
    for old in _properties(committed):
        name = f"{table.name}.{old['name']}"
        if old["name"] not in table.column_names:
            found.append((name, "removed"))
            continue
        new = table.column(old["name"])
        if new.type != old["physicalType"]:
            found.append((name, f"type {old['physicalType']} became {new.type}"))
        if old["required"] and new.nullable:
            found.append((name, "may now be null"))
    return found


def undeclared(folder: Path, tables: dict[str, Table], changelog: str) -> list[str]:
    """One line per breaking change against the contracts in `folder` that the unreleased changelog does not name.

    Internal tables may change without notice. A contract whose table is gone counts as one change, named `table`.
    """
    announced = _unreleased(changelog)
    changes: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*.odcs.yaml")):
        name, text = path.name.removesuffix(".odcs.yaml"), path.read_text(encoding="utf-8")
        if name not in tables:
            changes += [(name, "table removed")] if yaml.safe_load(text)["status"] == "active" else []
        elif tables[name].kind is not Kind.INTERNAL:
            changes += breaking_changes(text, tables[name])
    return [f"{name}: {what}" for name, what in changes if f"`{name}`" not in announced]


def _properties(contract: str) -> list[dict[str, Any]]:
    properties: list[dict[str, Any]] = yaml.safe_load(contract)["schema"][0]["properties"]
    return properties


def _unreleased(changelog: str) -> str:
    """Text between the heading `## [Unreleased]` and the next release's."""
    return changelog.partition("## [Unreleased]")[2].partition("\n## [")[0]
