"""One writer per table: OS locks, released by the system when their owner dies."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from visitgrain.errors import Locked
from visitgrain.runtime.storage import Store

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.1


def lock_folder(store: Store) -> Path:
    """Below the lake; for a lake on a remote file system below this host's temporary folder."""
    if store.is_local:
        return store.local_path("_locks")
    return Path(tempfile.gettempdir()) / "visitgrain-locks" / f"{zlib.crc32(store.root.encode()):08x}"


class TableLocks:
    """Locks of one lake, held by this object. Holding a name twice is allowed: only the outermost release frees it."""

    def __init__(self, folder: Path, *, wait_s: float) -> None:
        self._folder = folder
        self._wait_s = wait_s
        self._held: set[str] = set()
        self.waited_s = 0.0  # for others, so far

    @contextmanager
    def hold(self, names: list[str]) -> Iterator[None]:
        """Hold all of `names`. Taken in alphabetical order: two jobs never wait for each other. Raises Locked."""
        wanted = sorted(set(names) - self._held)
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for name in wanted:
                file = stack.enter_context((self._folder / f"{name}.lock").open("a+"))
                self._take(name, file)
                self._held.add(name)
                stack.callback(self._release, name, file)
            yield

    def _release(self, name: str, file: IO[str]) -> None:
        self._held.discard(name)
        file.truncate(0)  # nobody's any more: what a killed owner leaves tells of it

    def _take(self, name: str, file: IO[str]) -> None:
        begin = time.monotonic()
        deadline = begin + self._wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    self.waited_s += time.monotonic() - begin
                    raise Locked(self._message(name)) from None
                time.sleep(POLL_SECONDS)
            else:
                file.seek(0)
                if left := file.read():
                    LOG.warning("table %s: its last writer %s ended without a word; its lock is taken over", name, left)
                file.truncate(0)
                self.waited_s += time.monotonic() - begin
                json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
                file.flush()
                return

    def _message(self, name: str) -> str:
        path = self._folder / f"{name}.lock"
        try:
            owner = json.loads(path.read_text())
            who = f"process {owner['pid']} on {owner['host']}"
        except (ValueError, KeyError, OSError):
            who = "another process"
        return (
            f"table {name}: {who} writes it and did not finish within {self._wait_s:g} s; wait for it, or raise "
            f"lock_wait_s (--set lock_wait_s={max(60, int(self._wait_s * 4))})"
        )
