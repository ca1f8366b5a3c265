"""The schema gate: does a file have the columns that the mapping reads? A refusal says the difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from visitgrain.catalogue.expression_tree import Name, names_in
from visitgrain.catalogue.source import INPUTS, Source, TableMapping, mappable, required
from visitgrain.errors import GateRefused, suggestion
from visitgrain.sources.fields import is_ignored
from visitgrain.sources.files import SourceFile
from visitgrain.sources.rows import Layout, columns_of
from visitgrain.tables import Table


@dataclass(frozen=True)
class Accepted:
    """A file and what it has. `schema` only for Parquet; `columns` None = a text file without a record."""

    file: SourceFile
    columns: tuple[str, ...] | None
    schema: pa.Schema | None = None


def opened(file: SourceFile, layout: Layout) -> Accepted:
    """Reads the head of the file. Raises GateRefused when it cannot be read at all."""
    try:
        if layout.format == "parquet":
            schema = pq.read_schema(file.path)
            return Accepted(file, tuple(schema.names), schema.remove_metadata())
        columns = columns_of(file.path, layout)
    except (pa.ArrowException, OSError) as error:
        raise GateRefused(f"{file.name}: not a readable {layout.format} file: {str(error).splitlines()[0]}") from None
    except GateRefused as error:
        raise GateRefused(f"{file.name}: {error}") from None
    return Accepted(file, None if columns is None else tuple(columns))


def mapped_columns(mapping: TableMapping, table: Table, present: Iterable[str]) -> dict[str, object]:
    """Canonical column -> expression. `columns: same` takes what is there under its own name."""
    if mapping.columns is not None:
        return dict(mapping.columns)
    names = {*present, *required(table), *(["event_time"] if "event_time" in table.column_names else [])}
    return {name: Name(name) for name in mappable(table) if name in names}


def reads(mapping: TableMapping, table: Table, present: Iterable[str]) -> dict[str, list[str]]:
    """Source column -> what reads it."""
    users: dict[str, list[str]] = {}
    for place, tree in mapped_columns(mapping, table, present).items():
        for name in names_in(tree):  # type: ignore[arg-type]
            users.setdefault(name, []).append(f"{table.name}.{place}")
    for rule in mapping.where:
        for name in names_in(rule.keep):
            users.setdefault(name, []).append(f"{table.name}.where.{rule.rule}")
    return users


def known(accepted: Accepted, source: Source) -> frozenset[str]:
    """Columns of the file that one of its tables reads."""
    return columns_read(source, accepted.file.tables, accepted.columns or ())


def columns_read(source: Source, tables: Iterable[str], present: Sequence[str]) -> frozenset[str]:
    """What the mappings of `tables` read of a file with the columns `present`."""
    return frozenset(name for table in tables for name in reads(source.tables[table], INPUTS[table], present))


def difference(accepted: Accepted, source: Source, table: Table) -> str | None:
    """Why the file is refused for `table`, or None. JSON keys may be absent unless a never-null column needs them."""
    if accepted.columns is None:
        return None
    users = reads(source.tables[table.name], table, accepted.columns)
    missing = sorted(set(users) - set(accepted.columns) - set(source.optional))
    if source.format == "json":
        needed = {f"{table.name}.{name}" for name in (*required(table), "event_time")}
        missing = [name for name in missing if needed & set(users[name])]
    if not missing:
        return None
    refusal = (
        f"{accepted.file.name}: refused for {table.name}: it lacks {len(missing)} of the {len(users)} columns read"
    )
    if not set(users) & set(accepted.columns):
        # The first line may be a row of data: its values are nobody's business.
        names = ", ".join(map(repr, missing))
        return (
            f"{refusal}: {names}; none of these is among its {len(accepted.columns)} columns; does it lack its header?"
        )
    lines = [_missing(name, users[name], accepted.columns) for name in missing]
    return "\n".join(
        [
            refusal,
            *lines,
            f"  found: {', '.join(accepted.columns)}",
            "  fix: correct the names in the mapping, or list columns that may be absent under `optional`",
        ]
    )


def _missing(name: str, users: Sequence[str], present: Sequence[str]) -> str:
    return f"  - {name!r} (read by {', '.join(sorted(users))}){suggestion(name, list(present))}"


def unread(accepted: Iterable[Accepted], source: Source) -> list[str]:
    """Columns of the files that the mapping neither reads nor ignores: new fields of the feed show up here."""
    found = {name for item in accepted for name in set(item.columns or ()) - known(item, source)}
    return sorted(name for name in found if not is_ignored(name, source.ignored))


def accepted_files(files: Iterable[SourceFile], source: Source) -> tuple[list[Accepted], list[str]]:
    """Files with the columns that their tables read, and for each other file why it is refused."""
    layout, accepted, refused = Layout.of(source), [], []
    for file in files:
        try:
            item = opened(file, layout)
        except GateRefused as error:
            refused.append(str(error))
            continue
        problems = [difference(item, source, INPUTS[name]) for name in file.tables]
        if any(problems):
            refused += [problem for problem in problems if problem]
        else:
            accepted.append(item)
    return accepted, refused
