"""The files of a delivery: which table each belongs to, its content hash, its columns."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from visitgrain.catalogue.source import Source
from visitgrain.errors import InputMissing, JobFailed


@dataclass(frozen=True)
class SourceFile:
    """One file. `name` is its path relative to the ingested folder; `tables` the canonical tables it feeds.

    `state` changes whenever somebody touches the file, even if size and time of change are put back.
    """

    path: Path
    name: str
    tables: tuple[str, ...]
    bytes: int
    state: tuple[int, ...]
    file_hash: str


def listed(source: Source, path: Path) -> list[SourceFile]:
    """Every file below `path` (or `path` itself) that a table's glob takes, in order of name. Raises InputMissing."""
    path = Path(os.path.abspath(path))  # as Spark spells it; links stay links
    if not path.exists():
        raise InputMissing(f"{path}: no such file or folder; --path is what source {source.source!r} is read from")
    tables: dict[Path, list[str]] = {}
    for table, mapping in source.tables.items():
        for file in _matching(path, mapping.files):
            tables.setdefault(file, []).append(table)
    if not tables:
        globs = ", ".join(f"{table}: {mapping.files}" for table, mapping in source.tables.items())
        raise InputMissing(f"{path}: no file for source {source.source!r}; it looks for {globs}")
    root = path if path.is_dir() else path.parent
    return [_described(file, root, tuple(found)) for file, found in sorted(tables.items())]


def _matching(path: Path, glob: str) -> Iterable[Path]:
    """Files of the glob; names that begin with . or _ are somebody's bookkeeping."""
    if path.is_file():
        return [path] if fnmatch(path.name, glob.rsplit("/", 1)[-1]) or glob.endswith("**") else []
    found = path.glob(f"{glob}/*" if glob.endswith("**") else glob)
    return [f for f in found if f.is_file() and not any(p.startswith((".", "_")) for p in f.relative_to(path).parts)]


def _described(file: Path, root: Path, tables: tuple[str, ...]) -> SourceFile:
    state = _state(file)
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return SourceFile(file, file.relative_to(root).as_posix(), tables, file.stat().st_size, state, digest)


def _state(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def assert_unchanged(files: Iterable[SourceFile]) -> None:
    """Raises JobFailed when a file was replaced while it was read: its hash in the manifest would be a lie."""
    for file in files:
        if not file.path.exists() or _state(file.path) != file.state:
            raise JobFailed(f"{file.name}: the file changed while it was read; nothing was published, run it again")


def new_files(files: Iterable[SourceFile], loaded: set[str]) -> tuple[list[SourceFile], list[SourceFile]]:
    """Files to read, and files whose content was loaded before or stands twice in this delivery."""
    fresh: list[SourceFile] = []
    again: list[SourceFile] = []
    seen = set(loaded)
    for file in files:
        (again if file.file_hash in seen else fresh).append(file)
        seen.add(file.file_hash)
    return fresh, again
