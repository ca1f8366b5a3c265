"""Records -> the text of their fields: CSV, JSON lines, or lines that a pattern takes apart. The parsers are C code.

Fields stay text, numbers exactly as written; what they mean is for the mapping to say.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from visitgrain.catalogue.source import Source
from visitgrain.errors import GateRefused
from visitgrain.sources.records import MAX_RECORD, Quoting, Record, lines
from visitgrain.sources.streams import open_stream

csv.field_size_limit(4 * MAX_RECORD)

Fields = Sequence[str | None]
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
        return _keys(readable[:1000])
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


def parser(layout: Layout, columns: Sequence[str], wanted: Sequence[str]) -> Parser:
    """A function from the texts of a block to the `wanted` fields of each, missing ones None."""
    if layout.format == "json":
        return lambda texts: [_json_fields(text, wanted, layout.nulls) for text in texts]
    places = [columns.index(name) if name in columns else None for name in wanted]
    if layout.format == "csv":
        return lambda texts: [_picked(row, len(columns), places, layout.nulls) for row in _csv_rows(texts, layout)]
    compiled = re.compile(layout.pattern or "")
    return lambda texts: [_matched(compiled.fullmatch(text), wanted, layout.nulls) for text in texts]


def _picked(row: list[str] | str, width: int, places: list[int | None], nulls: frozenset[str]) -> Fields | str:
    if isinstance(row, str):
        return row
    if len(row) != width:
        return "columns"
    return [None if place is None or row[place] in nulls else row[place] for place in places]


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
    return [None if found.get(name) in nulls else found.get(name) for name in wanted]


def _json_fields(text: str, wanted: Sequence[str], nulls: frozenset[str]) -> Fields | str:
    try:
        found = _loads(text)
    except _Unreadable as error:
        return error.reason
    fields = [_json_text(found.get(name)) for name in wanted]
    if "\\u" in text and any(field and not _encodable(field) for field in fields):
        return "encoding"
    return [None if field in nulls else field for field in fields]


class _Unreadable(Exception):
    """A record that is no JSON object; `reason` as in quarantine."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _loads(text: str) -> dict[str, object]:
    """The JSON object with numbers as written."""
    try:
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse)
    except RecursionError:
        raise _Unreadable("size") from None
    except ValueError:
        raise _Unreadable("json") from None
    if not isinstance(found, dict):
        raise _Unreadable("json")
    return found


def _keys(texts: list[str]) -> list[str]:
    """All keys of the objects among `texts`, in order of appearance."""
    keys: dict[str, None] = {}
    for text in texts:
        with suppress(_Unreadable):
            keys.update(dict.fromkeys(_loads(text)))
    return list(keys)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _json_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _encodable(text: str) -> bool:
    """False for half of a surrogate pair, which no table can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
