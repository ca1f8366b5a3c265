"""How a foreign log maps onto the canonical input tables: the model of conf/sources/<name>.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field, field_validator, model_validator

from visitgrain.catalogue import expression_tree as tree
from visitgrain.catalogue.expression import parse as parse_expression
from visitgrain.catalogue.source_functions import SOURCE_DIALECT
from visitgrain.catalogue.yaml_file import Strict, parse
from visitgrain.errors import ConfigError, suggestion
from visitgrain.tables import TABLES, Column, Kind, Table

INPUTS: dict[str, Table] = {name: table for name, table in TABLES.items() if table.kind is Kind.INPUT}
GENERATED = ("source", "load_id")  # written by ingest, never mapped
# Columns of events that say what ingest noticed. Whether two rows are the same event does not depend on them.
NOTICED = ("rescued", "clock_skew_s")
ANNOTATIONS = ("exclusion", *NOTICED)
# Local day of an instant; always computed.
DAYS = {
    "events": ("event_date", "event_time"),
    "orders": ("order_date", "order_time"),
    "campaign_exposures": ("exposure_date", "exposure_time"),
}
DERIVED = ("event_id", "received_time", "event_time")  # of events; computed where they are not mapped
DEVICE_STAMPS = ("sent_time", "created_time")  # pseudo-columns: event_time = received_time - (sent_time - created_time)
Format = Literal["parquet", "csv", "json", "text"]


def _expression(value: object) -> tree.Node:
    if isinstance(value, str):
        return parse_expression(value, SOURCE_DIALECT)
    if value is None or isinstance(value, bool | int | float):
        return tree.Literal(value)
    raise tree.ExpressionError(f"expected an expression or a constant, found {value!r}")


def _same(value: object) -> object:
    return None if value == "same" else value


Expression = Annotated[Any, BeforeValidator(_expression)]  # a tree.Node once read


class Rule(Strict):
    """Rows for which `keep` is not true are left out and counted under the name of the rule."""

    rule: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    keep: Expression


class TableMapping(Strict):
    """One canonical table. `columns: same` (None here) takes the columns that already have canonical names."""

    files: str = "**/*"
    where: tuple[Rule, ...] = ()
    columns: Annotated[dict[str, Expression] | None, BeforeValidator(_same)]
    defaults: dict[str, str | int | float | bool] = Field(default_factory=dict)


class Source(Strict):
    """One foreign log. Options from `encoding` to `pattern` describe text files.

    `ignored`: names or globs of fields that are left behind on purpose; other fields that no column reads are rescued.
    `volume_factor`: a day that brings so many times the usual rows is refused; null = never.
    """

    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    format: Format
    zone: str
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str | None = Field(default='"', min_length=1, max_length=1)
    header: bool = True
    names: tuple[str, ...] = ()
    pattern: str | None = None
    nulls: tuple[str, ...] = ("",)
    optional: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    volume_factor: float | None = Field(default=10, gt=1)
    tables: dict[str, TableMapping] = Field(min_length=1)

    @property
    def rescues(self) -> bool:
        """Are fields kept that nobody reads?"""
        return "*" not in self.ignored

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        if zone not in available_timezones():
            near = suggestion(zone, sorted(available_timezones()))
            raise ValueError(f"unknown time zone{near}; write an IANA name such as UTC or Asia/Shanghai")
        return zone

    @field_validator("encoding")
    @classmethod
    def _encoding_splits_by_bytes(cls, encoding: str) -> str:
        try:
            plain = '\n,"'.encode(encoding) == b'\n,"'
        except (LookupError, UnicodeError):
            plain = False
        if not plain:
            raise ValueError(
                "unknown encoding, or one that cannot be split into lines; write utf-8, gb18030, latin-1, …"
            )
        return encoding

    @model_validator(mode="after")
    def _layout_fits_the_format(self) -> Source:
        if self.format == "csv" and self.header == bool(self.names):
            raise ValueError("csv: give either `header: true` or `header: false` with `names: [a, b, …]`")
        if (self.format == "text") != (self.pattern is not None):
            raise ValueError(
                "`pattern` (a Python regular expression with (?P<name>…) groups) belongs to `format: text`"
            )
        for name, mapping in self.tables.items():
            check_mapping(name, mapping)
        return self


def check_mapping(name: str, mapping: TableMapping) -> None:
    """Raises ValueError naming every problem of one table's mapping."""
    if name not in INPUTS:
        raise ValueError(f"tables: unknown table {name!r}{suggestion(name, list(INPUTS))}; known: {', '.join(INPUTS)}")
    table, columns = INPUTS[name], mapping.columns or {}
    allowed = mappable(table)
    problems = [
        f"{part}.{column}: no such column{suggestion(column, allowed)}; known: {', '.join(allowed)}"
        for part, entries in (("columns", columns), ("defaults", mapping.defaults))
        for column in entries
        if column not in allowed
    ]
    if mapping.columns is not None:
        given = {*columns, *mapping.defaults}
        problems += [
            f"columns.{column}: missing; this column is never null" for column in required(table) if column not in given
        ]
        problems += _device_stamp_problems(name, given)
    constants = {c: node.value for c, node in columns.items() if isinstance(node, tree.Literal)} | mapping.defaults
    problems += [
        p
        for c, value in constants.items()
        if c in table.column_names
        for p in _constant_problems(table.column(c), value)
    ]
    if problems:
        raise ValueError("; ".join(f"tables.{name}.{problem}" for problem in problems))


def mappable(table: Table) -> list[str]:
    """Columns that a mapping may give."""
    stamps = DEVICE_STAMPS if table.name == "events" else ()
    computed = (*GENERATED, *NOTICED, *DAYS.get(table.name, ())[:1])
    return [name for name in (*table.column_names, *stamps) if name not in computed]


def required(table: Table) -> list[str]:
    """Columns that a mapping must give. `event_time` may follow from the device stamps instead."""
    derived = DERIVED if table.name == "events" else ()
    names = mappable(table)
    return [c.name for c in table.columns if c.name in names and not c.nullable and c.name not in derived]


def _device_stamp_problems(name: str, given: set[str]) -> list[str]:
    if name != "events":
        return []
    stamps = [stamp for stamp in DEVICE_STAMPS if stamp in given]
    if len(stamps) == 1:
        return ["columns: sent_time and created_time go together"]
    if stamps and "event_time" in given:
        return ["columns: event_time follows from sent_time and created_time; map either it or those two"]
    if stamps and "received_time" not in given:
        return ["columns.received_time: missing; event_time = received_time - (sent_time - created_time)"]
    return [] if stamps or "event_time" in given else ["columns.event_time: missing; this column is never null"]


def _constant_problems(column: Column, value: object) -> list[str]:
    if value is not None and column.values and value not in column.values:
        hint = suggestion(str(value), list(column.values))
        return [f"{column.name}: {value!r} is not allowed{hint}; allowed: {', '.join(column.values)}"]
    return []


def load_source(name: str, folders: list[Path]) -> Source:
    """The mapping `name` from the first folder that has it. Raises ConfigError."""
    for folder in folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            source = _parsed(path)
            if source.source != name:
                raise ConfigError(
                    f"sources/{path.name}: source: {source.source!r} differs from the file's name; write {name}"
                )
            return source
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise ConfigError(f"unknown source {name!r}{suggestion(name, known)}; known: {', '.join(known) or 'none'}")


def _parsed(path: Path) -> Source:
    try:
        return parse(Source, path, label=f"sources/{path.name}")
    except ConfigError as error:
        if "not valid YAML" in str(error):
            raise ConfigError(f"{error}; put an expression with `: `, `{{` or ` #` in double quotes") from None
        raise
