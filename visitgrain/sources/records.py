"""A text file as records with exact byte offsets. Nothing is dropped: blank, oversize, undecodable parts are records.

Offsets count bytes of the decompressed file. Splitting and decoding work on blocks, not on single rows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from visitgrain.sources.streams import Stream, Truncated

MAX_RECORD = 1 << 20  # bytes; longer ones are refused with reason `size`
MAX_PAYLOAD = 1 << 16  # characters of a refused record that are kept
BLOCK = 1 << 22
BOM = b"\xef\xbb\xbf"
BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Record:
    """`reason` None = readable. `payload_hash` is set where `text` is not the whole record as it came."""

    offset: int
    text: str
    reason: str | None = None
    payload_hash: str | None = None


def lines(stream: Stream, encoding: str) -> Iterator[list[Record]]:
    """The lines of the stream, block by block, without line ends (LF or CRLF) and without a byte order mark."""
    offset, carry = 0, b""
    for block in _blocks(stream):
        if isinstance(block, Truncated):
            yield [_refused(offset, carry, "truncated")]
            return
        buffer = carry + block
        if offset == 0 and buffer.startswith(BOM):
            offset, buffer = len(BOM), buffer[len(BOM) :]
        end = buffer.rfind(b"\n") + 1
        if end:
            yield _decoded(offset, buffer[: end - 1].split(b"\n"), encoding)
        offset, carry = offset + end, buffer[end:]
        if len(carry) > MAX_RECORD:
            record, offset, carry = _oversize(stream, offset, carry)
            yield [record]
    if carry:
        yield _decoded(offset, carry.removesuffix(b"\n").split(b"\n"), encoding)


def _blocks(stream: Stream) -> Iterator[bytes | Truncated]:
    try:
        while block := stream.read(BLOCK):
            yield block
    except Truncated as end:
        yield end


def _decoded(offset: int, parts: list[bytes], encoding: str) -> list[Record]:
    starts = accumulate((len(part) + 1 for part in parts[:-1]), initial=offset)
    return [_record(start, part, encoding) for start, part in zip(starts, parts, strict=True)]


def _record(offset: int, part: bytes, encoding: str) -> Record:
    part = part.removesuffix(b"\r")
    if len(part) > MAX_RECORD:
        return _refused(offset, part, "size")
    try:
        text = part.decode(encoding)
    except UnicodeDecodeError:
        return _refused(offset, part, "encoding")
    if "\0" in text:
        return _refused(offset, part, "encoding")
    return Record(offset, text) if text and not text.isspace() else Record(offset, text, BLANK)


def _refused(offset: int, part: bytes, reason: str) -> Record:
    text = part[:MAX_PAYLOAD].decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")
    return Record(offset, text[:MAX_PAYLOAD], reason, hashlib.sha256(part).hexdigest())


def _oversize(stream: Stream, offset: int, carry: bytes) -> tuple[Record, int, bytes]:
    """Read on to the end of a record that is too long, keeping its head and hash only."""
    digest, head, size, rest = hashlib.sha256(), carry[:MAX_PAYLOAD], 0, b""
    part: bytes | Truncated = carry
    blocks = _blocks(stream)
    while not isinstance(part, Truncated):
        body, newline, rest = part.partition(b"\n")
        digest.update(body)
        size += len(body) + len(newline)
        if newline:
            break
        part = next(blocks, Truncated())
    refused = _refused(offset, head, "size")
    return Record(offset, refused.text, "size", digest.hexdigest()), offset + size, rest


@dataclass(frozen=True)
class Quoting:
    """Which lines belong together: a quoted field may hold line ends.

    Quotes open a field only at its start and close it only before a delimiter. A quote that never closes like that
    refuses its own line with reason `quote`, and reading goes on with the next one.
    """

    delimiter: str
    quote: str

    def joined(self, blocks: Iterable[list[Record]]) -> Iterator[list[Record]]:
        pending: list[Record] = []
        for block in blocks:
            if not pending and not any(self.quote in line.text for line in block):
                yield block
                continue
            done, pending = self._join([*pending, *block], last=False)
            yield done
        if pending:
            yield self._join(pending, last=True)[0]

    def _join(self, lines_: list[Record], *, last: bool) -> tuple[list[Record], list[Record]]:
        """Records of these lines, and the lines of a record that is still open at their end."""
        done: list[Record] = []
        position = 0
        while position < len(lines_):
            line = lines_[position]
            if (line.reason and line.reason != BLANK) or line.text.count(self.quote) % 2 == 0:
                done.append(line)
                position += 1
                continue
            record, used = self._closed(lines_, position)
            if record is None and not last and sum(len(part.text) for part in lines_[position:]) < MAX_RECORD:
                return done, lines_[position:]
            done.append(record or Record(line.offset, line.text, "quote"))
            position += used
        return done, []

    def _closed(self, lines_: list[Record], start: int) -> tuple[Record | None, int]:
        """The record that begins at `start` and the lines it takes; None = still open after the last line."""
        text = lines_[start].text
        complete, still_open = self._patterns()
        for position in range(start, len(lines_)):
            if position > start:
                if lines_[position].reason not in (None, BLANK):
                    return Record(lines_[start].offset, lines_[start].text, "quote"), 1
                text += "\n" + lines_[position].text
                if self.quote not in lines_[position].text:
                    continue
            if complete.fullmatch(text):
                return Record(lines_[start].offset, text), position - start + 1
            if len(text) > MAX_RECORD or not still_open.fullmatch(text):
                return Record(lines_[start].offset, lines_[start].text, "quote"), 1
        return None, 1

    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        q, d = re.escape(self.quote), re.escape(self.delimiter)
        quoted = f"{q}[^{q}]*(?:{q}{q}[^{q}]*)*"
        field = f"(?:{quoted}{q}|[^{q}{d}\n][^{d}\n]*|)"
        return re.compile(f"{field}(?:{d}{field})*"), re.compile(f"(?:{field}{d})*{quoted}")
