"""Every table of the suite, declared once. Types, checks, pages and data contracts derive from these declarations."""

from __future__ import annotations

from visitgrain.tables import churning, hazards, inputs, measuring, privacy, runs, segmentation, valuing, visiting
from visitgrain.tables.model import Column, Kind, Table

TABLES: dict[str, Table] = {
    value.name: value
    for module in (inputs, visiting, segmentation, measuring, churning, hazards, valuing, runs, privacy)
    for value in vars(module).values()
    if isinstance(value, Table)
}

__all__ = ["TABLES", "Column", "Kind", "Table"]
