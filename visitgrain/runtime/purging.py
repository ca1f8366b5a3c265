"""Make a table forget: no old version, no old log entry, no file that it does not need. Time travel ends here.

Deleted rows live on in old data files, in the statistics of old commits and in checkpoints. Only erasure and retention
come here, with the locks of the tables held: a job that is writing has files that no log knows yet.
"""

from __future__ import annotations

import re

from deltalake import DeltaTable

from visitgrain.errors import GateRefused
from visitgrain.runtime import delta_log
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table

_OF_LOG = re.compile(r"(\d{20})\.(json|crc|checkpoint\..*parquet)|_last_checkpoint")
STAGING = "_staging"


def purge(store: Store, table: Table) -> int:
    """Checkpoint the newest version and delete everything before it; how many files went.

    Raises GateRefused, with nothing deleted, where the table cannot be read from its new checkpoint alone.
    """
    version = delta_log.verified_version(store, table)
    if version == delta_log.NO_VERSION:
        return 0
    before = delta_log.snapshot(store, table, version)
    DeltaTable(store.path(table.name)).create_checkpoint()
    if not store.size(f"{table.name}/_delta_log/{version:020}.checkpoint.parquet") > 0:
        raise GateRefused(f"table {table.name}: no checkpoint of version {version} came about; nothing was deleted")
    if delta_log.snapshot(store, table, version) != before:
        raise GateRefused(f"table {table.name}: its checkpoint of version {version} has other files; nothing deleted")
    needed = {f"{table.name}/{file.path}" for file in before.files}
    gone = [name for name in store.below(table.name) if name not in needed and not _is_newest(name, table, version)]
    for name in gone:
        store.remove_file(name)
    return len(gone)


def clear_all_staging(store: Store) -> int:
    """Delete what killed runs left on its way into tables; how many files went."""
    left = store.below(STAGING)
    store.remove_folder(STAGING)
    return len(left)


def _is_newest(name: str, table: Table, version: int) -> bool:
    """Is the file of the log, and of its newest version?"""
    folder, _, base = name.rpartition("/")
    found = _OF_LOG.fullmatch(base)
    return folder == f"{table.name}/_delta_log" and found is not None and found[1] in (None, f"{version:020}")
