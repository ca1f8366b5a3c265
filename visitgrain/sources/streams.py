"""Bytes of a text file, decompressed on the way; a damaged file gives its good part and then says so."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_BLOCK = 1 << 18
_PIECE = 1 << 16


class Truncated(Exception):
    """The compressed stream ends early or is damaged; everything before was delivered."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


def open_stream(path: Path) -> Stream:
    """The decompressed bytes of a plain, gzip or zstd file; told by its first bytes, whatever its name."""
    file = path.open("rb")
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(GZIP):
        return _Gzip(file)
    return _Zstd(file) if magic == ZSTD else file


class _Gzip:
    """Several members in a row are one stream. Memory stays bounded whatever the ratio."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._input = b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._inflate.eof:
                self._input = self._inflate.unused_data.lstrip(b"\0") or self._file.read(_BLOCK)
                if not self._input:
                    return b""  # and again, when somebody asks once more
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            self._input = self._input or self._file.read(_BLOCK)
            if not self._input:
                raise Truncated
            try:
                output = self._inflate.decompress(self._input, size)
            except zlib.error:
                raise Truncated from None
            self._input = self._inflate.unconsumed_tail
            if output:
                return output

    def close(self) -> None:
        self._file.close()


class _Zstd:
    """Decompressed in small pieces: those before the damage are delivered."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
        self._damaged = False

    def read(self, size: int, /) -> bytes:
        pieces: list[bytes] = []
        while not self._damaged and sum(map(len, pieces)) < size:
            try:
                piece = self._stream.read(_PIECE)
            except OSError:
                self._damaged = True
                break
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
        if not pieces:
            raise Truncated
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()
