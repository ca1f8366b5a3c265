"""Which versions of tables readers should use: what was published, and what becomes of it when versions go for good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from visitgrain.runtime.lake import Lake
from visitgrain.runtime.records import records
from visitgrain.runtime.storage import Store
from visitgrain.tables import TABLES
from visitgrain.tables.runs import PUBLISHED_RUNS


def publications(store: Store) -> list[dict[str, Any]]:
    """Rows of `published_runs`, oldest first."""
    return sorted(records(store, PUBLISHED_RUNS), key=lambda row: row["published_at"])


def republish(lake: Lake, before: Mapping[str, int], *, run_id: str) -> None:
    """Follow published versions that are gone by what was made of them; `before` are the versions until then.

    The caller holds the table's lock.
    """
    again = []
    for row in {row["pipeline"]: row for row in publications(lake.store)}.values():  # the newest of each
        now = {name: lake.version(TABLES[name]) if before.get(name) == v else v for name, v in row["versions"].items()}
        if now != row["versions"]:
            again.append({**row, "run_id": run_id, "published_at": datetime.now(UTC), "versions": now})
    if again:
        lake.append(PUBLISHED_RUNS, again, run_id=run_id)
