"""Records -> the text of their fields: CSV, JSON lines, or lines that a pattern takes apart. The parsers are C code.

Fields stay text, numbers exactly as written; what they mean is for the mapping to say.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from visitgrain.catalogue.source import Source
from visitgrain.errors import GateRefused
from visitgrain.sources.fields import MAX_FIELD, Fields, Wanted
from visitgrain.sources.json_fields import json_fields, json_keys
from visitgrain.sources.records import MAX_RECORD, Quoting, Record, lines
from visitgrain.sources.streams import open_stream

csv.field_size_limit(4 * MAX_RECORD)

Parser = Callable[[list[str]], list["Fields | str"]]  # a str = the reason why the record is refused


@dataclass(frozen=True)
class Layout:
    """How the text files of a source are read. Small and picklable: workers get it."""

    format: str
    encoding: str
    delimiter: str
    quote: str | None
    names: tuple[str, ...]
    pattern: str | None
    nulls: frozenset[str]

    @classmethod
    def of(cls, source: Source) -> Layout:
        nulls = frozenset() if source.format == "json" and source.nulls == ("",) else frozenset(source.nulls)
        return cls(source.format, source.encoding, source.delimiter, source.quote, source.names, source.pattern, nulls)


def records(path: Path, layout: Layout) -> Iterator[list[Record]]:
    """All records of a file, block by block, the header of a CSV file included."""
    stream = open_stream(path)
    try:
        found = lines(stream, layout.encoding)
        if layout.format == "csv" and layout.quote:
            found = Quoting(layout.delimiter, layout.quote).joined(found)
        yield from found
    finally:
        stream.close()


def body(path: Path, layout: Layout) -> Iterator[list[Record]]:
    """The records without the header."""
    head = layout.format == "csv" and not layout.names
    for block in records(path, layout):
        if head:
            first = next((n for n, record in enumerate(block) if record.reason is None), None)
            head = first is None
            block = block if first is None else [*block[:first], *block[first + 1 :]]
        yield block


def columns_of(path: Path, layout: Layout) -> list[str] | None:
    """Names of the fields: the header, the pattern's groups, or the keys of the first thousand JSON objects.

    None when the file holds no readable record. Raises GateRefused for a header with the same name twice.
    """
    if layout.format == "text":
        return list(re.compile(layout.pattern or "").groupindex)
    if layout.names:
        return list(layout.names)
    readable = [record.text for block in _first(records(path, layout)) for record in block if record.reason is None]
    if not readable:
        return None
    if layout.format == "json":
        return json_keys(readable[:1000])
    header = [name.strip() for name in next(_reader(readable[:1], layout), [])]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise GateRefused(f"duplicate column names in the header: {', '.join(twice)}; rename them")
    return header


def _first(blocks: Iterator[list[Record]]) -> Iterator[list[Record]]:
    """Blocks up to the first that has a readable record."""
    for block in blocks:
        yield block
        if any(record.reason is None for record in block):
            return


def parser(layout: Layout, columns: Sequence[str], wanted: Wanted) -> Parser:
    """A function from the texts of a block to the wanted fields of each, missing ones None, and the rescued ones."""
    if layout.format == "json":
        return _limited(lambda texts: [json_fields(text, wanted, layout.nulls) for text in texts])
    if layout.format == "csv":
        places = [columns.index(name) if name in columns else None for name in wanted.names]
        others = [(name, columns.index(name)) for name in wanted.rescued(columns)]
        pick = partial(_picked, width=len(columns), places=places, others=others, nulls=layout.nulls)
        return _limited(lambda texts: list(map(pick, _csv_rows(texts, layout))))
    compiled = re.compile(layout.pattern or "")
    return _limited(lambda texts: [_matched(compiled.fullmatch(text), wanted.names, layout.nulls) for text in texts])


def _limited(parse: Parser) -> Parser:
    """Refuses records with a field that is too long. Short records, nearly all, cost a look at their length."""

    def parsed(texts: list[str]) -> list[Fields | str]:
        found = parse(texts)
        for n in [n for n, text in enumerate(texts) if 4 * len(text) > MAX_FIELD and not isinstance(found[n], str)]:
            *fields, rescued = found[n]
            values = [*fields, *(rescued or {}).values()]  # type: ignore[union-attr]
            if any(len(str(value).encode()) > MAX_FIELD for value in values if value):
                found[n] = "size"
        return found

    return parsed


def _picked(
    row: list[str] | str,
    *,
    width: int,
    places: list[int | None],
    others: list[tuple[str, int]],
    nulls: frozenset[str],
) -> Fields | str:
    if isinstance(row, str):
        return row
    if len(row) != width:
        return "columns"
    fields = [None if place is None or row[place] in nulls else row[place] for place in places]
    return [*fields, {name: row[place] for name, place in others if row[place] not in nulls} or None]


def _csv_rows(texts: list[str], layout: Layout) -> list[list[str] | str]:
    """One row per text; the slow way, one by one, only for a block with a malformed record."""
    try:
        rows: list[list[str] | str] = list(_reader(texts, layout))
        if len(rows) == len(texts):
            return rows
    except csv.Error:
        pass
    return [_csv_row(text, layout) for text in texts]


def _csv_row(text: str, layout: Layout) -> list[str] | str:
    try:
        return next(_reader([text], layout), [])
    except csv.Error:
        return "quote"


def _reader(texts: list[str], layout: Layout) -> Iterator[list[str]]:
    quoting = csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE
    return csv.reader(texts, delimiter=layout.delimiter, quotechar=layout.quote, quoting=quoting, strict=True)  # type: ignore[return-value]


def _matched(match: re.Match[str] | None, wanted: Sequence[str], nulls: frozenset[str]) -> Fields | str:
    if match is None:
        return "pattern"
    found = match.groupdict()
    return [*(None if found.get(name) in nulls else found.get(name) for name in wanted), None]
