"""Published versions of tables, when old versions are deleted for good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from visitgrain.runtime.lake import Lake
from visitgrain.runtime.records import records
from visitgrain.runtime.small_tables import write_rows
from visitgrain.tables import TABLES
from visitgrain.tables.runs import PUBLISHED_RUNS


def republish(lake: Lake, before: Mapping[str, int], *, run_id: str) -> None:
    """Follow published versions that are gone by what was made of them; `before` are the versions until then.

    The caller holds the table's lock.
    """
    rows = sorted(records(lake.store, PUBLISHED_RUNS), key=lambda row: row["published_at"])
    again = []
    for row in {row["pipeline"]: row for row in rows}.values():  # the newest of each
        now = {name: lake.version(TABLES[name]) if before.get(name) == v else v for name, v in row["versions"].items()}
        if now != row["versions"]:
            again.append({**row, "run_id": run_id, "published_at": datetime.now(UTC), "versions": now})
    if again:
        write_rows(lake.store, PUBLISHED_RUNS, again, run_id=run_id)
