"""A model as the bytes of its text files: sent to each executor once, opened once in each worker process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

Files = tuple[tuple[str, bytes], ...]  # by name


class Saved(Protocol):
    """A model that writes itself into a folder."""

    def save(self, folder: Path) -> None: ...


def packed(model: Saved) -> Files:
    """Name and content of each of its files."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        return tuple(sorted((path.name, path.read_bytes()) for path in Path(folder).iterdir()))


@lru_cache(maxsize=2)
def unpacked(files: Files, load: Callable[[Path], Any]) -> Any:
    """The model that `load` reads from them; once per worker process and model."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files:
            (Path(folder) / name).write_bytes(content)
        return load(Path(folder))
