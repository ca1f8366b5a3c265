"""Which files of a table nobody needs any more, and their removal.

A file goes when no version of the last `keep_days` holds it, no pinned version does, and it is `orphan_days` old:
a younger one may belong to a write that is not committed yet. Spark's VACUUM does not know of published versions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from visitgrain.catalogue.operations import MaintenancePolicy
from visitgrain.runtime import delta_log
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.publishing import publications
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table


def pinned_versions(store: Store, keep: int) -> dict[str, set[int]]:
    """Versions by table that the `keep` newest runs of each pipeline published."""
    pinned: dict[str, set[int]] = {}
    seen: dict[str, int] = {}
    for run in reversed(publications(store)):
        seen[run["pipeline"]] = seen.get(run["pipeline"], 0) + 1
        if seen[run["pipeline"]] <= keep:
            for table, version in run["versions"].items():
                pinned.setdefault(table, set()).add(version)
    return pinned


def removable(
    lake: Lake, table: Table, policy: MaintenancePolicy, pinned: Collection[int], now: datetime
) -> dict[str, int]:
    """Bytes of the files that may go, by path. Raises GateRefused when the log is damaged."""
    since = now - timedelta(days=policy.keep_days)
    needed = {file.path for file in lake.data_files(table)}
    needed.update(_removed_since(lake.store, table, since))
    needed.update(file.path for version in pinned for file in delta_log.files_at(lake.store, table, version))
    old = now - timedelta(days=policy.orphan_days)
    return {
        path: size
        for path, (size, changed) in lake.store.listing(table.name).items()
        if path.endswith(".parquet") and not path.startswith("_") and path not in needed and changed < old
    }


def vacuum(
    lake: Lake, table: Table, policy: MaintenancePolicy, pinned: Collection[int], now: datetime
) -> dict[str, int]:
    """Remove what may go; returns it. Holds the table's lock, so that no commit needs a file meanwhile."""
    with lake.lock(table):
        gone = removable(lake, table, policy, pinned, now)
        for path in gone:
            lake.store.remove_file(f"{table.name}/{path}")
    return gone


def _removed_since(store: Store, table: Table, since: datetime) -> Iterator[str]:
    """Files that versions after `since` took out of the table: until then they were in it."""
    for version, written in delta_log.commits(store, table).written.items():
        if written >= since:
            found = delta_log.actions(store, table, version) or []
            yield from (action["remove"]["path"] for action in found if "remove" in action)
