"""Checkpoints of a table's log, how long it reaches back, and the end of what is older."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from deltalake import DeltaTable

from visitgrain.catalogue.operations import MaintenancePolicy
from visitgrain.runtime import delta_log
from visitgrain.runtime.lake import Lake
from visitgrain.tables import Table


def properties(policy: MaintenancePolicy) -> dict[str, str]:
    """What every engine that opens the table is told to keep. Only `maintain` shortens a log: it knows who needs it."""
    return {
        "delta.logRetentionDuration": f"interval {policy.keep_days} days",
        "delta.deletedFileRetentionDuration": f"interval {policy.keep_days} days",
        "delta.enableExpiredLogCleanup": "false",
    }


def keep_log(lake: Lake, table: Table, policy: MaintenancePolicy, pinned: Collection[int], now: datetime) -> int:
    """Set the properties, write a checkpoint when one is due, drop expired commits; returns how many went.

    Commits stay, whatever their age, while a pinned version needs them.
    """
    with lake.lock(table):
        delta_log.verified_version(lake.store, table)  # a checkpoint of a damaged log would hide the damage
        log = DeltaTable(lake.path(table))
        wanted = properties(policy)
        if {name: log.metadata().configuration.get(name) for name in wanted} != wanted:
            log.alter.set_table_properties(wanted)
        commits = delta_log.commits(lake.store, table)
        if log.version() - max(commits.checkpoints, default=-1) >= policy.checkpoint_after:
            log.create_checkpoint()
        expires = now - timedelta(days=policy.keep_days)
        first_needed = min((v for v in pinned if v in commits.written), default=log.version())
        if commits.written[first_needed] < expires and first_needed != log.version():
            return 0
        before = len(commits.written)
        log.cleanup_metadata()
        return before - len(delta_log.commits(lake.store, table).written)
