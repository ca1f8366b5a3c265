"""Small files beside the tables: receipts, results, the lake's own description; on any file system a lake lives on."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileType

from visitgrain.arrow.rows import filesystem
from visitgrain.errors import ConfigError


class Store:
    """Paths below `root`, a folder or a URI. Names are relative, with `/`."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/") if "://" in root else str(Path(root).absolute())
        self._files, self._base = filesystem(self.root)

    @property
    def is_local(self) -> bool:
        return bool(self._files.type_name == "local")

    def path(self, *parts: str) -> str:
        """What Spark opens."""
        return "/".join((self.root, *parts))

    def local_path(self, *parts: str) -> Path:
        """Only for local stores."""
        return Path(self._base, *parts)

    def assert_writable(self) -> None:
        """Raises ConfigError when a lake cannot be there: a local path that is a file, or that nobody may write to; a
        bucket that is not there, or that cannot be asked."""
        if self._files.type_name == "s3":
            self._assert_bucket()
        if not self.is_local:
            return
        path = nearest = self.local_path()
        while not nearest.exists() and not nearest.is_symlink():
            nearest = nearest.parent
        if not nearest.is_dir():
            raise ConfigError(f"lake {path}: {nearest} is not a folder; set lake (or --lake) to one")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise ConfigError(
                f"lake {path}: {nearest} cannot be written to (read-only, or of another user); make it writable, or "
                "set lake (or --lake) to a folder that is"
            )

    def _assert_bucket(self) -> None:
        bucket = self._base.partition("/")[0]
        try:
            found = self._files.get_file_info(bucket).type
        except OSError as error:
            if "ACCESS_DENIED" in str(error):  # who may only see a part of the bucket finds out at work
                return
            raise ConfigError(
                f"lake {self.root}: {error}; check the server's address, region and credentials (docs/cluster.md)"
            ) from error
        if found == FileType.NotFound:
            raise ConfigError(f"lake {self.root}: there is no bucket {bucket}; make it, or set lake (or --lake)")

    def sizes(self, folder: str) -> dict[str, int]:
        """Name -> bytes of the files in `folder`; empty when it does not exist."""
        found = self._files.get_file_info(FileSelector(f"{self._base}/{folder}", allow_not_found=True))
        return {info.base_name: info.size for info in found if info.type == FileType.File}

    def listing(self, folder: str) -> dict[str, tuple[int, datetime]]:
        """Bytes and time of the last change of all files below `folder`, by their path from there on."""
        base = f"{self._base}/{folder}".rstrip("/")
        found = self._files.get_file_info(FileSelector(base, allow_not_found=True, recursive=True))
        return {info.path[len(base) + 1 :]: (info.size, info.mtime) for info in found if info.type == FileType.File}

    def below(self, folder: str = "") -> list[str]:
        """Names of all files in `folder` and its folders."""
        return sorted(f"{folder}/{name}" if folder else name for name in self.listing(folder))

    def read_bytes(self, name: str) -> bytes:
        with self._files.open_input_stream(f"{self._base}/{name}") as stream:
            return bytes(stream.read())

    def exists(self, name: str) -> bool:
        return bool(self._files.get_file_info(f"{self._base}/{name}").type != FileType.NotFound)

    def size(self, name: str) -> int:
        """Bytes of a file; -1 when there is none."""
        info = self._files.get_file_info(f"{self._base}/{name}")
        return int(info.size) if info.type == FileType.File else -1

    def read_text(self, name: str) -> str | None:
        """None when there is no such file."""
        if not self.exists(name):
            return None
        with self._files.open_input_stream(f"{self._base}/{name}") as stream:
            return bytes(stream.read()).decode("utf-8")

    def read_end(self, name: str, length: int) -> bytes:
        """The last `length` bytes of a file, all of a shorter one."""
        with self._files.open_input_file(f"{self._base}/{name}") as file:
            size = file.size()
            return bytes(file.read_at(min(length, size), max(size - length, 0)))

    def write_text(self, name: str, text: str) -> None:
        """Whole or not at all: written beside its place, then moved there."""
        target = f"{self._base}/{name}"
        folder, _, base = target.rpartition("/")
        self._files.create_dir(folder, recursive=True)
        with self._files.open_output_stream(f"{folder}/.{base}.part") as stream:
            stream.write(text.encode("utf-8"))
        self._files.move(f"{folder}/.{base}.part", target)

    def read_json(self, name: str) -> dict[str, Any] | None:
        text = self.read_text(name)
        return None if text is None else json.loads(text)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        self.write_text(name, json.dumps(content, indent=1, sort_keys=True, default=str) + "\n")

    def read_parquet(self, name: str, columns: list[str]) -> pa.Table:
        """Those of `columns` that the file has."""
        with pq.ParquetFile(f"{self._base}/{name}", filesystem=self._files, page_checksum_verification=True) as file:
            return file.read(columns=[column for column in columns if column in file.schema_arrow.names])

    def make_folder(self, name: str) -> None:
        self._files.create_dir(f"{self._base}/{name}", recursive=True)

    def remove_file(self, name: str) -> None:
        if self.exists(name):
            self._files.delete_file(f"{self._base}/{name}")

    def move_file(self, name: str, to: str) -> None:
        self._files.create_dir(f"{self._base}/{to}".rpartition("/")[0], recursive=True)
        self._files.move(f"{self._base}/{name}", f"{self._base}/{to}")

    def remove_folder(self, name: str) -> None:
        if self.exists(name):
            self._files.delete_dir(f"{self._base}/{name}")
