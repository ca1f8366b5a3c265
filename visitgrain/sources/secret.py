"""The key of the pseudonyms: a file that only its owner can read. Never in settings, logs, tables or Spark options."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from visitgrain.errors import ConfigError

MIN_BYTES = 16


def pseudonym_key(path: Path) -> bytes:
    """The key in `path`; made from 32 random bytes on first use. Raises ConfigError when others could read it.

    Whoever loses the file can never again connect new events with old subscribers: back it up with the vault.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(os.urandom(32).hex() + "\n")
        except FileExistsError:
            pass  # another process was first: its key counts
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"{path}: mode {mode:04o} lets others read the pseudonym key; allowed is 0600: chmod 600 {path}"
        )
    key = path.read_bytes().strip()
    if len(key) < MIN_BYTES:
        raise ConfigError(
            f"{path}: a pseudonym key of {len(key)} bytes; at least {MIN_BYTES}, or remove the empty file"
        )
    return key
