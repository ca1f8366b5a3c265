"""Take a delivery of files over into the canonical input tables: the one job whose input is files, not tables."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pyspark.sql import Column, Row, functions as F

from visitgrain.catalogue.exclusions import load_exclusions
from visitgrain.catalogue.source import INPUTS, Source, load_source
from visitgrain.errors import GateRefused
from visitgrain.expressions.keyed_hash import Days, erased
from visitgrain.runtime.context import Context
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.ledger import Entry, code_version
from visitgrain.runtime.progress import progress
from visitgrain.runtime.records import records
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.runtime.vault import protect
from visitgrain.sources.excluding import exclusions_of
from visitgrain.sources.files import assert_unchanged, listed, new_files
from visitgrain.sources.gate import Accepted, accepted_files, unread
from visitgrain.sources.keeping import manifest
from visitgrain.sources.loading import TableLoad
from visitgrain.sources.mapping import Load
from visitgrain.sources.opening import fitting, opened_rows, staged_rows
from visitgrain.sources.result import IngestResult, TableResult
from visitgrain.sources.sealing import on_column, sealed
from visitgrain.sources.secret import key_id, pseudonym_key
from visitgrain.sources.vaulting import vaulted
from visitgrain.sources.volume import assert_usual
from visitgrain.sources.withdrawal import loads_of, withdraw
from visitgrain.tables.inputs import NUMBERS
from visitgrain.tables.privacy import ERASED_SUBSCRIBERS, VAULT_NUMBERS
from visitgrain.tables.runs import CONFLICTING_EVENTS, INGEST_MANIFEST, LATE_EVENTS, QUARANTINED_EVENTS

NAME = "ingest_source"
KEY_ID = "_pseudonym_key.json"  # in the lake: which key its pseudonyms were made with


def ingest(
    context: Context, *, source: str, path: Path, again: bool = False, allow_volume: bool = False
) -> IngestResult:
    """Map, check, deduplicate and store the files at `path`. Running it again changes nothing.

    `again` first takes back what these files brought before: for a mapping that was corrected.
    Raises GateRefused when no file has the columns that the mapping reads; single refused files are in the result.
    Raises it, too, for an unusual number of rows, unless `allow_volume`; loading `again` is never unusual.
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
            accepted, misfits = fitting(context.spark, accepted, mapping)
            refused += misfits
            if refused and not accepted:
                raise GateRefused("\n".join(refused))
            load = load_of(context, mapping, _load_id(source, accepted), datetime.now(UTC))
            checked = not (again or allow_volume)
            results = _load_tables(context, load, accepted, checked=checked) if accepted else ()
    except Exception as error:
        raise as_visitgrain_error(error, doing=label) from error
    return IngestResult(
        source=source,
        load_id=str(load.load_id),
        files=tuple(item.file.name for item in accepted),
        skipped=tuple(file.name for file in skipped),
        refused=tuple(refused),
        unread=tuple(unread(accepted, mapping)),
        tables=tuple(results),
    )


def load_of(context: Context, mapping: Source, load_id: str | Column, now: datetime | Column) -> Load:
    """How rows of the source are taken over under the settings and the catalogue of this run."""
    late, dedup = context.settings.late_horizon_days, context.settings.dedup_horizon_days
    exclusions = exclusions_of(load_exclusions(context.conf), context.spark, key_of(context))
    return Load(
        mapping,
        load_id,
        now,
        exclusions,
        timedelta(days=late),
        timedelta(days=dedup),
        erased=_erased(context),
        seal=lambda payload: on_column(sealed, key_of(context)())(payload),
    )


def _erased(context: Context) -> Callable[[Column, Column], Column] | None:
    """Who may not come back with a delivery, new or old."""
    tombstones: dict[str, list[Days]] = {}
    for row in records(context.lake.store, ERASED_SUBSCRIBERS):
        tombstones.setdefault(row["tombstone"], []).append((row["valid_from"], row["valid_to"]))
    return erased(key_of(context)(), tombstones) if tombstones else None


def key_of(context: Context) -> Callable[[], bytes]:
    """The key of the pseudonyms, read when first asked for; the lake remembers which one it is."""

    @cache
    def key() -> bytes:
        store, path = context.lake.store, Path(context.settings.pseudonym_secret_file)
        known = store.read_json(KEY_ID)
        found = pseudonym_key(path, known=known["key_id"] if known else None)
        if known is None:
            store.write_json(KEY_ID, {"key_id": key_id(found)})
        return found

    return key


def _loaded(context: Context, source: str) -> list[Row]:
    """The files that this source brought before."""
    return context.lake.read(INGEST_MANIFEST, optional=True).where(F.col("source") == source).collect()


def _load_id(source: str, accepted: Sequence[Accepted]) -> str:
    """The same files give the same id, whenever they are loaded."""
    content = "\n".join(sorted(item.file.file_hash for item in accepted))
    return f"{source}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _load_tables(context: Context, load: Load, accepted: Sequence[Accepted], *, checked: bool) -> list[TableResult]:
    """Stage every table before the first is stored: a bad file is found before anything has changed."""
    loads, now = [], load.now
    assert isinstance(now, datetime)
    try:
        for name in load.source.tables:
            of_table = [item for item in accepted if name in item.file.tables]
            if of_table:
                loads.append(_staged(context, load, name, of_table))
        assert_unchanged(item.file for item in accepted)
        if checked:
            _assert_usual_volume(context, loads)
        results = [_stored(context, table_load) for table_load in loads]
        rows = manifest([item.file for item in accepted], load.source.source, str(load.load_id), now)
        context.lake.append(INGEST_MANIFEST, rows, run_id=context.run_id)
        return results
    finally:
        for name in load.source.tables:
            staging(context).clear_staging(_staging_name(context, name))


def _staged(context: Context, load: Load, name: str, accepted: Sequence[Accepted]) -> TableLoad:
    table = INPUTS[name]
    groups = opened_rows(context.spark, accepted, load.source, table)
    rows = staged_rows(groups, table, load, key_of(context))
    folder = staging(context).staging(_staging_name(context, name))
    places = {key: place for group in groups for key, place in group.places.items()}
    table_load = TableLoad(context.lake, table, load, folder, context.run_id, datetime.now(UTC).date(), places)
    table_load.stage(rows)
    return table_load


def _assert_usual_volume(context: Context, loads: Sequence[TableLoad]) -> None:
    """Raises GateRefused when the rows of this load make an unusual day of one of its tables."""
    zone, entries = ZoneInfo(context.settings.zone), context.ledger.entries()
    for load in loads:
        by_day: Counter[date] = Counter()
        for entry in entries:
            of_source = entry.catalogue_hash.rpartition("-")[0] == load.load.source.source  # a load id
            if entry.job == NAME and entry.table_name == load.table.name and of_source:
                by_day[entry.started_at.astimezone(zone).date()] += entry.rows_in or 0
        today = datetime.now(zone).date()
        assert_usual(load.table.name, load.rows, by_day, today, load.load.source.volume_factor)


def _staging_name(context: Context, table: str) -> str:
    return f"{context.run_id}-{table}"


def staging(context: Context) -> Lake:
    """Rows on their way have numbers in them: where there is a vault they wait there."""
    return context.vault or context.lake


def _stored(context: Context, table_load: TableLoad) -> TableResult:
    started = datetime.now(UTC)
    result = table_load.store()
    keep_numbers(context, table_load)
    record(context, NAME, result, origin=str(table_load.load.load_id), today=table_load.today, started=started)
    return result


def keep_numbers(context: Context, load: TableLoad) -> None:
    """Put the numbers of what was stored into the vault; nowhere where there is none."""
    vault = context.vault
    if vault is None or load.table is not NUMBERS or not context.lake.has(NUMBERS):
        return
    with vault.lock(VAULT_NUMBERS):
        rows = vaulted(load.good, context.lake.read(NUMBERS), vault.read(VAULT_NUMBERS, optional=True))
        vault.replace(VAULT_NUMBERS, rows, window=None, run_id=context.run_id)
        protect(vault)


def record(context: Context, job: str, result: TableResult, *, origin: str, today: date, started: datetime) -> None:
    """One entry in the ledger. `origin` says what was taken over: there is no catalogue that it depends on."""
    first, last = result.days or (today, today)
    entry = Entry(
        run_id=context.run_id,
        job=job,
        table_name=result.table,
        period_start=first,
        period_end=last,
        status="ok",
        code_version=code_version(),
        catalogue_hash=origin,
        output_version=result.version,
        rows_in=result.rows_read,
        outcomes=result.outcomes,
        notes=result.notes,
        rows_out=result.outcomes["kept"],
        content_hash=result.content_hash,
        started_at=started,
        seconds=(datetime.now(UTC) - started).total_seconds(),
    )
    context.ledger.record(context.lake, [entry])
