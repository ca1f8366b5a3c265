"""Take back what earlier loads brought, so that the same files can be loaded again with a better mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pyspark.sql import Row, functions as F

from visitgrain.errors import GateRefused
from visitgrain.sources.files import SourceFile
from visitgrain.sources.loading import Tables
from visitgrain.tables import Table
from visitgrain.tables.runs import CONFLICTING_EVENTS, INGEST_MANIFEST, LATE_EVENTS, QUARANTINED_EVENTS


def loads_of(manifest: Iterable[Row], files: Sequence[SourceFile]) -> set[str]:
    """Load ids of `files`. Raises GateRefused when such a load had other files too: their rows would be lost."""
    rows, given = list(manifest), {file.file_hash for file in files}
    loads = {row["load_id"] for row in rows if row["file_hash"] in given}
    others = sorted(row["file"] for row in rows if row["load_id"] in loads and row["file_hash"] not in given)
    if others:
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        raise GateRefused(
            f"cannot load again: {len(others)} files came with the same earlier load and are not at --path: {shown}; "
            "give the folder that holds all of them"
        )
    return loads


def withdraw(lake: Tables, tables: Iterable[Table], loads: Collection[str], *, run_id: str) -> None:
    """Remove what `loads` brought: rows, refused and losing rows, and last their files from the manifest.

    Rows of other loads that had lost against a withdrawn one stay in `conflicting_events`.
    """
    for table in (*tables, LATE_EVENTS, QUARANTINED_EVENTS, CONFLICTING_EVENTS, INGEST_MANIFEST):
        if not loads or not lake.has(table):
            continue
        stored = lake.read(table)
        gone, rest = F.col("load_id").isin(*loads), stored.where(~F.col("load_id").isin(*loads))
        if table.partition is None:
            lake.replace(table, rest, window=None, run_id=run_id)
            continue
        days = sorted(row[0] for row in stored.where(gone).select(table.partition).distinct().collect())
        if days:
            lake.replace_days(table, rest.where(F.col(table.partition).isin(days)), days, run_id=run_id)
