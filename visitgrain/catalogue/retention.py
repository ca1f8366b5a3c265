"""How long rows are kept, by table."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from visitgrain.catalogue.yaml_file import Strict, parse
from visitgrain.errors import suggestion
from visitgrain.tables import TABLES, Kind

FILE = "catalogue/retention.yaml"
_DATED = {t.name for t in TABLES.values() if t.partition is not None and t.kind is not Kind.VAULT}


class Retention(Strict):
    """`tables`: days by table; a table that is not named is kept for ever."""

    tables: dict[str, int] = Field(default={})

    @field_validator("tables")
    @classmethod
    def _known_and_dated(cls, tables: dict[str, int]) -> dict[str, int]:
        for name, days in tables.items():
            if name not in _DATED:
                known = ", ".join(sorted(_DATED))
                raise ValueError(f"{name}: no table with days{suggestion(name, sorted(_DATED))}; there are {known}")
            if days < 1:
                raise ValueError(f"{name}: {days} days; allowed: 1 or more")
        return tables


def load_retention(conf: Path) -> Retention:
    """Raises ConfigError naming the line."""
    return parse(Retention, conf / FILE, label=f"conf/{FILE}")
