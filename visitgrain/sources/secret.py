"""The key of the pseudonyms: a file that only its owner can read. Never in settings, logs, tables or Spark options."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

from visitgrain.errors import ConfigError

MIN_BYTES = 16


def pseudonym_key(path: Path, *, known: str | None = None) -> bytes:
    """The key in `path`; made from 32 random bytes on first use. Raises ConfigError when others could read it.

    `known`: id of the key that the lake's pseudonyms were made with; another one, or none, is refused.
    Whoever loses the file can never again connect new events with old subscribers: back it up with the vault.
    """
    if not path.exists():
        if known is not None:
            raise ConfigError(
                f"{path}: missing, and the lake's pseudonyms were made with key {known}: a new one would make "
                "strangers of all subscribers. Restore it from its backup"
            )
        _make(path)
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"{path}: mode {mode:04o} lets others read the pseudonym key; allowed is 0600: chmod 600 {path}"
        )
    if found.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{path}: the pseudonym key belongs to user {found.st_uid}, who could change it; chown it")
    key = path.read_bytes().strip()
    if len(key) < MIN_BYTES:
        raise ConfigError(
            f"{path}: a pseudonym key of {len(key)} bytes; at least {MIN_BYTES}, or remove the empty file"
        )
    if exposed := sorted(name for name, value in os.environb.items() if key in value):
        names = ", ".join(name.decode(errors="replace") for name in exposed)
        raise ConfigError(
            f"environment variable {names} holds the pseudonym key, which every child process sees; unset it"
        )
    if known not in (None, key_id(key)):
        raise ConfigError(
            f"{path}: key {key_id(key)}, but the lake's pseudonyms were made with key {known}; put that one back, or "
            "change it by `visitgrain rotate-pseudonyms`"
        )
    return key


def key_id(key: bytes) -> str:
    """Tells keys apart and nothing about them."""
    return hmac.digest(key, b"key id", "sha256")[:4].hex()


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(os.urandom(32).hex() + "\n")
    except FileExistsError:
        pass  # another process was first: its key counts
