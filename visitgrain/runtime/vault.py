"""The vault: a folder of its own for the tables that say who is who; nobody but its owner may enter."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from visitgrain.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from visitgrain.runtime.lake import Lake
    from visitgrain.runtime.settings import Settings


def open_vault(spark: SparkSession, settings: Settings) -> Lake | None:
    """None where the setting `vault` names no folder.

    Raises ConfigError for a folder that is not local, lies in the lake (whoever copies the lake would copy it), or that
    others can enter.
    """
    from visitgrain.runtime.lake import Lake

    if settings.vault is None:
        return None
    if "://" in settings.vault:
        raise ConfigError(f"vault: {settings.vault}: only a local folder keeps its files from others; allowed: a path")
    folder = Path(settings.vault).absolute()
    lake = Path(settings.lake).absolute()
    if "://" not in settings.lake and (folder == lake or lake in folder.parents):
        raise ConfigError(
            f"vault: {folder} lies in the lake {lake}; whoever copies that gets it; choose another folder"
        )
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o700)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(f"vault: {folder}: mode {mode:04o} lets others in; allowed is 0700: chmod 700 {folder}")
    return Lake(spark, str(folder), settings.zone, lock_wait_s=settings.lock_wait_s)


def protect(vault: Lake) -> None:
    """Folders 0700, files 0600: the workers that wrote them follow the umask."""
    for path in (vault.store.local_path(), *vault.store.local_path().rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
