"""Markdown: one page per table and their index."""

from __future__ import annotations

from collections.abc import Iterable

from visitgrain.docs.lineage import Lineage
from visitgrain.tables import Column, Kind, Table

_HEADING = "<!-- Generated from visitgrain/tables by `make docs`; edit the declaration, not this page. -->"
_KINDS = {
    Kind.INPUT: "Input: written by ingest or by the simulator",
    Kind.OUTPUT: "Output: read by downstream systems, kept stable by its data contract",
    Kind.INTERNAL: "Internal: between two jobs, may change without notice",
    Kind.RUNTIME: "Runtime: what ingest and the runner write about their own work",
    Kind.VAULT: "Vault: who is who; in the vault's folder, never in the lake",
}


def table_page(table: Table, lineage: Lineage) -> str:
    """Meaning, grain, key, partition, owner, freshness, lineage and columns of one table."""
    facts = {
        "kind": _KINDS[table.kind],
        "grain": table.grain,
        "key": ", ".join(f"`{name}`" for name in table.key),
        "partition": f"`{table.partition}`" if table.partition else "none",
        "owner": table.owner,
        "freshness": table.freshness,
        "written by": _jobs(lineage.writers.get(table.name)) or "no job: by ingest or the runner itself",
        "read by": _jobs(lineage.readers.get(table.name)) or "no job",
        "contract": f"[{table.name}.odcs.yaml](../contracts/{table.name}.odcs.yaml)",
    }
    return "\n".join(
        [
            _HEADING,
            f"# {table.name}",
            "",
            table.description,
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {text} |" for name, text in facts.items()),
            "",
            "| column | type | null | unit | meaning |",
            "|---|---|---|---|---|",
            *(_column_row(column) for column in table.columns),
            "",
        ]
    )


def index_page(tables: Iterable[Table]) -> str:
    """All tables by kind, each with its grain."""
    lines = [_HEADING, "# Tables", ""]
    for kind, title in _KINDS.items():
        lines += [f"## {title}", "", "| table | grain | description |", "|---|---|---|"]
        lines += [f"| [{t.name}]({t.name}.md) | {t.grain} | {t.description} |" for t in tables if t.kind is kind]
        lines += [""]
    return "\n".join(lines)


def _jobs(names: list[str] | None) -> str:
    return ", ".join(f"[{name}](../../../jobs/{name}.py)" for name in names or [])


def _column_row(column: Column) -> str:
    meaning = column.description
    if column.values:
        meaning += f"; one of {', '.join(f'`{value}`' for value in column.values)}"
    if column.personal:
        meaning += "; **personal data**"
    null = "yes" if column.nullable else "no"
    return f"| `{column.name}` | `{column.type}` | {null} | {column.unit or ''} | {meaning.replace('|', '&#124;')} |"
