"""Take a delivery of files over into the canonical input tables: the one job whose input is files, not tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from pyspark.sql import Row, functions as F

from visitgrain.catalogue.source import INPUTS, load_source
from visitgrain.errors import GateRefused
from visitgrain.runtime.context import Context
from visitgrain.runtime.ledger import Entry, code_version
from visitgrain.runtime.progress import progress
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.sources.files import assert_unchanged, listed, new_files
from visitgrain.sources.gate import Accepted, accepted_files, unread
from visitgrain.sources.keeping import manifest
from visitgrain.sources.loading import TableLoad
from visitgrain.sources.mapping import Load
from visitgrain.sources.opening import opened_rows, staged_rows
from visitgrain.sources.result import IngestResult, TableResult
from visitgrain.sources.secret import pseudonym_key
from visitgrain.sources.withdrawal import loads_of, withdraw
from visitgrain.tables.runs import CONFLICTING_EVENTS, INGEST_MANIFEST, LATE_EVENTS, QUARANTINED_EVENTS

NAME = "ingest_source"


def ingest(context: Context, *, source: str, path: Path, again: bool = False) -> IngestResult:
    """Map, check, deduplicate and store the files at `path`. Running it again changes nothing.

    `again` first takes back what these files brought before: for a mapping that was corrected.
    Raises GateRefused when no file has the columns that the mapping reads; single refused files are in the result.
    """
    mapping = load_source(source, [context.conf / "sources"])
    files = listed(mapping, path)
    tables = [INPUTS[name] for name in mapping.tables]
    label = f"ingest of {source}"
    try:
        with (
            progress(context.spark, label),
            context.lake.lock(*tables, LATE_EVENTS, QUARANTINED_EVENTS, CONFLICTING_EVENTS, INGEST_MANIFEST),
        ):
            loaded = _loaded(context, source)
            if again:
                withdraw(context.lake, tables, loads_of(loaded, files), run_id=context.run_id)
                loaded = _loaded(context, source)
            fresh, skipped = new_files(files, {row["file_hash"] for row in loaded})
            accepted, refused = accepted_files(fresh, mapping)
            if refused and not accepted:
                raise GateRefused("\n".join(refused))
            late, dedup = context.settings.late_horizon_days, context.settings.dedup_horizon_days
            now = datetime.now(UTC)
            load = Load(mapping, _load_id(source, accepted), now, timedelta(days=late), timedelta(days=dedup))
            results = _load_tables(context, load, accepted) if accepted else ()
    except Exception as error:
        raise as_visitgrain_error(error, doing=label) from error
    return IngestResult(
        source=source,
        load_id=load.load_id,
        files=tuple(item.file.name for item in accepted),
        skipped=tuple(file.name for file in skipped),
        refused=tuple(refused),
        unread=tuple(unread(accepted, mapping, tables)),
        tables=tuple(results),
    )


def _loaded(context: Context, source: str) -> list[Row]:
    """The files that this source brought before."""
    return context.lake.read(INGEST_MANIFEST, optional=True).where(F.col("source") == source).collect()


def _load_id(source: str, accepted: Sequence[Accepted]) -> str:
    """The same files give the same id, whenever they are loaded."""
    content = "\n".join(sorted(item.file.file_hash for item in accepted))
    return f"{source}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _load_tables(context: Context, load: Load, accepted: Sequence[Accepted]) -> list[TableResult]:
    """Stage every table before the first is stored: a bad file is found before anything has changed."""
    loads = []
    try:
        for name in load.source.tables:
            of_table = [item for item in accepted if name in item.file.tables]
            if of_table:
                loads.append(_staged(context, load, name, of_table))
        assert_unchanged(item.file for item in accepted)
        results = [_stored(context, table_load) for table_load in loads]
        rows = manifest([item.file for item in accepted], load.source.source, load.load_id, load.now)
        context.lake.append(INGEST_MANIFEST, rows, run_id=context.run_id)
        return results
    finally:
        for name in load.source.tables:
            context.lake.clear_staging(_staging_name(context, name))


def _staged(context: Context, load: Load, name: str, accepted: Sequence[Accepted]) -> TableLoad:
    table = INPUTS[name]
    groups = opened_rows(context.spark, accepted, load.source, table)
    key = cache(lambda: pseudonym_key(Path(context.settings.pseudonym_secret_file)))
    rows = staged_rows(groups, table, load, key)
    folder = context.lake.staging(_staging_name(context, name))
    files = {place: item for group in groups for place, item in group.files.items()}
    table_load = TableLoad(context.lake, table, load, folder, context.run_id, files)
    table_load.stage(rows)
    return table_load


def _staging_name(context: Context, table: str) -> str:
    return f"{context.run_id}-{table}"


def _stored(context: Context, table_load: TableLoad) -> TableResult:
    started = datetime.now(UTC)
    result = table_load.store()
    today = table_load.load.now.date()
    first, last = result.days or (today, today)
    entry = Entry(
        run_id=context.run_id,
        job=NAME,
        table_name=result.table,
        period_start=first,
        period_end=last,
        status="ok",
        code_version=code_version(),
        catalogue_hash=table_load.load.load_id,
        output_version=result.version,
        rows_in=result.rows_read,
        outcomes=result.outcomes,
        rows_out=result.outcomes["kept"],
        content_hash=result.content_hash,
        started_at=started,
        seconds=(datetime.now(UTC) - started).total_seconds(),
    )
    context.ledger.record(context.lake, [entry])
    return result
