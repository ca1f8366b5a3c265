"""What a table is: columns with meaning, a key, a partition. DDL, checks, pages and contracts derive from it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, model_validator


class Kind(StrEnum):
    INPUT = "input"  # canonical input, written by ingest or simulate
    OUTPUT = "output"  # read by downstream systems
    INTERNAL = "internal"  # between two jobs; may change without notice
    RUNTIME = "runtime"  # what the runner writes about its own work


class Column(BaseModel):
    """One column. `type` is a Spark SQL type; `values` closes an enumeration; `personal` keeps it out of statistics.

    `provenance`: how the row came here, not what it says. Rows that differ in nothing else are the same content.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: str
    description: str
    unit: str | None = None
    nullable: bool = True
    values: tuple[str, ...] = ()
    personal: bool = False
    provenance: bool = False


class Table(BaseModel):
    """One Delta table. `key` identifies a row; `partition` is the date column by whose values a write replaces rows.

    `parts`: each file of the table has rows of one of them, and a job writes one of them (`Job.part`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    grain: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition: str | None = None
    parts: tuple[str, ...] = ()
    owner: str = "platform team"
    freshness: str = "by 06:00 of the next day"

    @model_validator(mode="after")
    def _names_exist_once(self) -> Table:
        names = self.column_names
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name}: duplicate column names")
        for name in (*self.key, *([self.partition] if self.partition else [])):
            if name not in names:
                raise ValueError(f"table {self.name}: {name!r} is not one of its columns")
        if self.partition and self.column(self.partition).nullable:
            raise ValueError(f"table {self.name}: partition {self.partition!r} may be null; a row needs a place")
        return self

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def ddl(self) -> str:
        """`name type [NOT NULL], …` with back-quoted names, as Spark parses it."""
        return ", ".join(f"`{c.name}` {c.type}{'' if c.nullable else ' NOT NULL'}" for c in self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def col(name: str, type: str, description: str, **more: object) -> Column:
    """A nullable column; short form for declarations."""
    return Column(name=name, type=type, description=description, **more)  # type: ignore[arg-type]


def key(name: str, type: str, description: str, **more: object) -> Column:
    """A column that is never null; short form for declarations."""
    return Column(name=name, type=type, description=description, nullable=False, **more)  # type: ignore[arg-type]
