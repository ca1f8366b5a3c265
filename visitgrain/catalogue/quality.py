"""Rules of the quality gate: what a table declares, and what conf/catalogue/quality/<table>.yaml adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from visitgrain.catalogue.yaml_file import Strict, parse_each, place_of
from visitgrain.errors import ConfigError, UsageError, suggestion
from visitgrain.tables import TABLES, Table

FOLDER = "conf/catalogue/quality"
ROWS = "rows"  # in sums: the number of rows
INTEGERS = ("int", "bigint")
NUMBERS = (*INTEGERS, "double")
Severity = Literal["warn", "block"]
MIN_ROWS = Field(default=1000, ge=0, description="not judged where fewer rows are usual")


class Spec(Strict):
    """What a rule asks for, and what its failure means."""

    severity: Severity = "block"


class Unique(Spec):
    """The key of the table."""


class NotNull(Spec):
    """A column that is never null."""


class Values(Spec):
    """A closed enumeration."""

    values: tuple[str, ...]


class Range(Spec):
    """Both ends included; null is allowed."""

    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _an_interval(self) -> Range:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}; swap them")
        return self


class Reference(Spec):
    """Every value that is not null is in `to`, table.column, of the same periods."""

    to: str


class Sum(Spec):
    """The column's sum over a period is that of the `equals`, each table.column or table.rows."""

    equals: tuple[str, ...] = Field(min_length=1)


class Limits(Strict):
    """A number that should be small: from `warn` on it is told, from `block` on nothing is published."""

    warn: float = Field(gt=0)
    block: float = Field(gt=0)
    min_rows: int = MIN_ROWS

    @model_validator(mode="after")
    def _warns_first(self) -> Limits:
        if self.warn > self.block:
            raise ValueError(f"warn {self.warn:g} is above block {self.block:g}; swap them")
        return self


class Share(Limits):
    """Rows of the table per row of the `of`, each table.rows."""

    of: tuple[str, ...] = Field(min_length=1)


class Quarantine(Limits):
    """Of the rows that ingest read for the table: the share that still lies in quarantined_events."""

    warn: float = Field(default=0.001, gt=0, le=1)
    block: float = Field(default=0.01, gt=0, le=1)


class Volume(Spec):
    """Rows against the median of the same weekday (of months: the months) before.

    Allowed is what usual days differ by, but at least `least_change` and at most `most_change`, as shares.
    """

    least_change: float = Field(default=0.25, gt=0, lt=1)
    most_change: float = Field(default=0.45, gt=0, lt=1)
    min_rows: int = MIN_ROWS


class Freshness(Spec):
    """The newest instant of the column is at most so long before the period's end."""

    within_hours: float = Field(gt=0)
    min_rows: int = MIN_ROWS


class Drift(Limits):
    """How far shares are from those of former periods, as PSI.

    Shares of the column's values where they are declared, of the intervals between `edges` for a number, else of null.
    """

    edges: tuple[float, ...] = ()
    warn: float = Field(default=0.1, gt=0)
    block: float = Field(default=0.25, gt=0)


AnySpec = Unique | NotNull | Values | Range | Reference | Sum | Share | Quarantine | Volume | Freshness | Drift


class TableQuality(Strict):
    """One file: the rules of `table` beside its key, its columns that are never null and its enumerations."""

    table: str
    ranges: dict[str, Range] = {}
    references: dict[str, Reference] = {}
    sums: dict[str, Sum] = {}
    freshness: dict[str, Freshness] = {}
    drift: dict[str, Drift] = {}
    volume: Volume | None = None
    share: Share | None = None
    quarantine: Quarantine | None = None


@dataclass(frozen=True)
class Rule:
    """A rule of a table; `column` None where it is about rows."""

    table: Table
    kind: str
    spec: AnySpec
    column: str | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.column}" if self.column else self.kind

    @property
    def full_name(self) -> str:
        """As `--allow-quality` takes it."""
        return f"{self.table.name}.{self.name}"


@dataclass(frozen=True)
class QualityRules:
    """What the files add, by table."""

    added: Mapping[str, TableQuality]

    def of(self, table: Table) -> list[Rule]:
        """What the table declares, then what its file adds."""
        declared = list(_declared(table))
        return [*declared, *_added(table, self.added[table.name])] if table.name in self.added else declared

    @cached_property
    def summed(self) -> dict[str, set[str]]:
        """Columns by table of which any rule needs the sum."""
        found: dict[str, set[str]] = {}
        for name, quality in self.added.items():
            sums = [(f"{name}.{column}", *rule.equals) for column, rule in quality.sums.items()]
            for term in [term for terms in sums for term in terms]:
                table, column = split(term)
                if column != ROWS:
                    found.setdefault(table, set()).add(column)
        return found

    def assert_known(self, names: Iterable[str]) -> None:
        """Raises UsageError for a name that no rule has."""
        known = [rule.full_name for table in TABLES.values() for rule in self.of(table)]
        for name in names:
            if name not in known:
                likely = [one for one in known if one.startswith(name.partition(".")[0] + ".")]
                raise UsageError(
                    f"--allow-quality {name}: no such rule{suggestion(name, known)}; rules are named table.rule"
                    + (f", of this table: {', '.join(likely)}" if likely else ", e.g. visits.volume")
                )


def split(term: str) -> tuple[str, str]:
    """Table and column of `table.column`."""
    table, _, column = term.partition(".")
    return table, column


def load_quality(conf: Path) -> QualityRules:
    """conf/catalogue/quality. Raises ConfigError with all problems of all files."""
    problems: list[str] = []
    paths = sorted((conf / "catalogue" / "quality").glob("*.yaml"))
    files = parse_each(TableQuality, paths, folder=FOLDER, name="table", problems=problems)
    for name, (quality, node) in files.items():
        problems += _misfits(quality, node, f"{FOLDER}/{name}.yaml")
    if problems:
        raise ConfigError("\n".join(problems))
    return QualityRules({quality.table: quality for quality, _ in files.values()})


def _declared(table: Table) -> Iterator[Rule]:
    """Nulls elsewhere are refused when rows are written; here they are counted in columns that are read anyway."""
    yield Rule(table, "key", Unique())
    for column in table.columns:
        if not column.nullable and (column.name in table.key or column.values):
            yield Rule(table, "null", NotNull(), column.name)
        if column.values:
            yield Rule(table, "values", Values(values=column.values), column.name)


def _added(table: Table, quality: TableQuality) -> Iterator[Rule]:
    by_column: dict[str, Mapping[str, AnySpec]] = {
        "range": quality.ranges,
        "reference": quality.references,
        "sum": quality.sums,
        "freshness": quality.freshness,
        "drift": quality.drift,
    }
    for kind, specs in by_column.items():
        yield from (Rule(table, kind, spec, column) for column, spec in specs.items())
    of_rows: dict[str, AnySpec | None] = {
        "volume": quality.volume,
        "share": quality.share,
        "quarantine": quality.quarantine,
    }
    yield from (Rule(table, kind, spec) for kind, spec in of_rows.items() if spec)


def _misfits(quality: TableQuality, node: yaml.Node, label: str) -> Iterator[str]:
    """What the file says of tables and columns that do not exist or are of another type, with places."""
    if quality.table not in TABLES:
        close = suggestion(quality.table, list(TABLES))
        yield f"{place_of(node, ('table',), label)}: no table {quality.table!r}{close}"
        return
    wanted = {
        "ranges": NUMBERS,
        "references": (),
        "sums": INTEGERS,
        "freshness": ("timestamp",),
        "drift": (),
    }
    for section, types in wanted.items():
        specs: Mapping[str, Any] = getattr(quality, section)
        for column, spec in specs.items():
            terms = [f"{quality.table}.{column}", *_terms(spec)]
            allowed = NUMBERS if getattr(spec, "edges", ()) else types
            yield from _wrong(terms, allowed, place_of(node, (section, column), label), rows=section == "sums")
    if quality.share:
        yield from _wrong(quality.share.of, (), place_of(node, ("share", "of"), label), rows=True)


def _terms(spec: Any) -> tuple[str, ...]:
    return spec.equals if isinstance(spec, Sum) else (spec.to,) if isinstance(spec, Reference) else ()


def _wrong(terms: Iterable[str], types: tuple[str, ...], place: str, *, rows: bool) -> Iterator[str]:
    for term in terms:
        name, column = split(term)
        if name not in TABLES:
            yield f"{place}: {term}: no table {name!r}{suggestion(name, list(TABLES))}; write table.column"
            continue
        names = [*TABLES[name].column_names, *([ROWS] if rows else [])]
        if column not in names:
            yield f"{place}: {term}: no column {column!r} in {name}{suggestion(column, names)}"
        elif types and column != ROWS and TABLES[name].column(column).type not in types:
            yield f"{place}: {term} is {TABLES[name].column(column).type}; allowed: {', '.join(types)}"
