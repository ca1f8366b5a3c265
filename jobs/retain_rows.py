"""Delete rows that are older than conf/catalogue/retention.yaml allows, with all that remembers them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from visitgrain.catalogue.retention import load_retention
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job
from visitgrain.runtime.progress import progress
from visitgrain.runtime.publishing import republish
from visitgrain.runtime.purging import purge
from visitgrain.runtime.retention import refuse_history
from visitgrain.runtime.small_tables import write_rows
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.tables import TABLES, Kind, Table
from visitgrain.tables.privacy import RETENTION_PROOFS

NAME = "retain_rows"


@dataclass(frozen=True)
class Outdated:
    """Rows of a table before `kept_from`, its first day (or month) to stay."""

    table: Table
    days: int
    kept_from: date
    rows: int


def outdated(context: Context, jobs: Iterable[Job], *, today: date | None = None) -> list[Outdated]:
    """What `retain` would delete; `today` is a local day. Raises ConfigError as the policy's checks do."""
    policy = load_retention(context.conf).tables
    refuse_history(jobs, policy)
    now = today or datetime.now(ZoneInfo(context.settings.zone)).date()
    found = []
    for name, days in policy.items():
        table = TABLES[name]
        first = now - timedelta(days=days)
        first = first.replace(day=1) if table.partition == "month" else first
        rows = context.lake.rows(table, (None, first - timedelta(days=1)))
        if rows:
            found.append(Outdated(table, days, first, rows))
    return found


def retain(context: Context, jobs: Iterable[Job], *, today: date | None = None) -> list[Outdated]:
    """Delete it, table by table; a proof for each. Every table is locked. Killed in between, run it again."""
    lake, label = context.lake, "retention"
    try:
        with progress(context.spark, label), lake.lock(*(t for t in TABLES.values() if t.kind is not Kind.VAULT)):
            done = outdated(context, jobs, today=today)
            for each in done:
                _delete(context, each)
            return done
    except Exception as error:
        raise as_visitgrain_error(error, doing=label) from error


def _delete(context: Context, each: Outdated) -> None:
    """The proof first: with it, no run computes anything from what is left."""
    lake, table = context.lake, each.table
    before = {table.name: lake.version(table)}
    proof = {"run_id": context.run_id, "table_name": table.name, "days": each.days, "kept_from": each.kept_from}
    proof |= {"rows": each.rows, "files_removed": len(lake.store.below(table.name)), "deleted_at": datetime.now(UTC)}
    write_rows(lake.store, RETENTION_PROOFS, [proof], run_id=context.run_id)
    lake.replace(table, lake.empty(table), window=(None, each.kept_from - timedelta(days=1)), run_id=context.run_id)
    purge(lake.store, table)
    republish(lake, before, run_id=context.run_id)
