"""Take refused rows over after all, once what refused them was corrected: the mapping, the list of values, the key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, functions as F

from jobs.ingest_source import keep_numbers, key_of, load_of, record, staging
from visitgrain.catalogue.source import INPUTS, Source, load_source
from visitgrain.errors import InputMissing
from visitgrain.runtime.context import Context
from visitgrain.runtime.progress import progress
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.sources.opening import staged_rows
from visitgrain.sources.replaying import Replay, is_whole, replayed_rows
from visitgrain.sources.result import TableResult
from visitgrain.sources.sealing import on_column, opened
from visitgrain.tables import Table
from visitgrain.tables.runs import CONFLICTING_EVENTS, INGEST_MANIFEST, LATE_EVENTS, QUARANTINED_EVENTS

NAME = "requarantine"


@dataclass(frozen=True)
class Replayed:
    """What became of the refused rows of one source and table. `not_whole`: rows whose file must come again."""

    source: str
    table: str
    not_whole: int
    result: TableResult | None


def requarantine(
    context: Context, *, reason: str, fixed_by: str, source: str | None = None, table: str | None = None
) -> list[Replayed]:
    """Map the rows refused for `reason` again; those that pass land once and leave the quarantine with a mark.

    Every row stays with the load that brought it. Raises InputMissing when no row is refused for `reason`.
    """
    label = f"replay of {reason}"
    lake = context.lake
    try:
        with (
            progress(context.spark, label),
            lake.lock(*INPUTS.values(), LATE_EVENTS, QUARANTINED_EVENTS, CONFLICTING_EVENTS),
        ):
            refused = _refused(context, reason, source, table)
            counts = refused.groupBy("source", "table_name").agg(F.count("*"), F.count_if(is_whole())).collect()
            return [
                Replayed(
                    name, of_table, rows - whole, _replay(context, refused, name, of_table, fixed_by) if whole else None
                )
                for name, of_table, rows, whole in sorted(counts)
            ]
    except Exception as error:
        raise as_visitgrain_error(error, doing=label) from error


def _refused(context: Context, reason: str, source: str | None, table: str | None) -> DataFrame:
    rows = context.lake.read(QUARANTINED_EVENTS, optional=True).where(F.col("replayed_at").isNull())
    rows = rows.withColumn("payload", on_column(opened, key_of(context)())(F.col("payload")))
    for column, value in (("source", source), ("table_name", table)):
        rows = rows if value is None else rows.where(F.col(column) == value)
    found = {row[0]: row[1] for row in rows.groupBy("reason").count().collect()}
    if reason not in found:
        listed = ", ".join(f"{name} ({rows:,})" for name, rows in sorted(found.items())) or "none"
        raise InputMissing(f"no row is refused for {reason!r}; refused rows wait for: {listed}")
    return rows.where(F.col("reason") == reason)


def _replay(context: Context, refused: DataFrame, name: str, of_table: str, fixed_by: str) -> TableResult:
    mapping, table, started = load_source(name, [context.conf / "sources"]), INPUTS[of_table], datetime.now(UTC)
    own = refused.where((F.col("source") == name) & (F.col("table_name") == of_table) & is_whole())
    folder = f"{context.run_id}-{name}-{of_table}"
    try:
        replay = _staged(context, own, mapping, table, folder, fixed_by)
        result = replay.store()
        keep_numbers(context, replay)
    finally:
        staging(context).clear_staging(folder)
    record(context, NAME, result, origin=f"{name}: {fixed_by}", today=replay.today, started=started)
    return result


def _staged(context: Context, rows: DataFrame, mapping: Source, table: Table, name: str, fixed_by: str) -> Replay:
    load = load_of(context, mapping, F.col("_load_id"), F.col("_loaded_at"))
    manifest = context.lake.read(INGEST_MANIFEST, optional=True)
    groups = replayed_rows(rows, manifest.select("load_id", "loaded_at").distinct(), mapping, table)
    today, folder = datetime.now(UTC).date(), staging(context).staging(name)
    replay = Replay(context.lake, table, load, folder, context.run_id, today, {}, fixed_by=fixed_by)
    replay.stage(staged_rows(groups, table, load, key_of(context)))
    return replay
