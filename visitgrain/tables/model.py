"""What a table is: columns with meaning, a key, a partition. DDL, checks, pages and contracts derive from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Kind(StrEnum):
    INPUT = "input"  # canonical input, written by ingest or simulate
    OUTPUT = "output"  # read by downstream systems
    INTERNAL = "internal"  # between two jobs; may change without notice
    RUNTIME = "runtime"  # what the runner writes about its own work
    VAULT = "vault"  # who is who: raw numbers, in the vault's own folder and never in the lake


class Identity(StrEnum):
    """Whom the value of a column stands for: erasure, rotation of the key and retention follow it."""

    SUBSCRIBER = "subscriber"  # a pseudonym of a subscriber, or of the number alone where nobody knew the holder
    NUMBER = "number"  # pseudonym of a number alone; later somebody else may hold it
    DEVICE = "device"


_USUAL = {"subscriber_id": Identity.SUBSCRIBER, "number_id": Identity.NUMBER, "device_id": Identity.DEVICE}


class Column(BaseModel):
    """One column. `type` is a Spark SQL type; `values` closes an enumeration; `personal` keeps it out of statistics.

    `provenance`: how the row came here, not what it says. Rows that differ in nothing else are the same content.
    `identity`: whom it stands for, where the name does not say so already; with `identity_where`, a column and its
    value, in some rows only.
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
    identity: Identity | None = None
    identity_where: tuple[str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _usual_identity(cls, given: dict[str, Any]) -> dict[str, Any]:
        usual = _USUAL.get(given.get("name", ""))
        return {"identity": usual, **given} if usual else given


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
    def identities(self) -> tuple[Column, ...]:
        """Columns that stand for a person or a device."""
        return tuple(column for column in self.columns if column.identity)

    @property
    def texts_of_persons(self) -> tuple[str, ...]:
        """Personal texts and maps: rows as they came, where an identity may stand anywhere in them."""
        return tuple(c.name for c in self.columns if c.personal and not c.identity)

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
