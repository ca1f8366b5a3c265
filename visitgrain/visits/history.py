"""`device_visits` -> `visits`: each visit gets the recency and frequency of its subject and its scores.

Only starts of visits cross the shuffle; the other columns go from file to file. See docs/adr/0007.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window, functions as F

from visitgrain.arrow.hashing import hash_values
from visitgrain.arrow.rows import ArrowRows, FilePart, TableFiles, parts_of, read_part
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.score_cards import score_versions
from visitgrain.expressions.exact import DAY_US
from visitgrain.span import Span
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISIT_DAYS, VISITS
from visitgrain.visits.scores import visit_scores

FREQUENCY_DAYS = 30
# Where a start was read (group of files, file, row), whose it is and when. `by_device`: the device is the subject.
_STARTS = pa.schema(
    [
        ("group", pa.int32()),
        ("file", pa.int32()),
        ("row", pa.int32()),
        ("by_device", pa.bool_()),
        ("subject", pa.int64()),
        ("t", pa.int64()),
        ("visit_id", pa.int64()),
    ]
)
_STARTS_DDL = "group int, file int, row int, by_device boolean, subject bigint, t bigint, visit_id bigint"
_SUBJECT = ("subject", "by_device")  # Spark sorts by 8 bytes of the first key: those of the flag tell little


def to_visits(
    device_visit_files: TableFiles, device_visits: DataFrame, visits: TableFiles, *, spec: Catalogue, span: Span
) -> dict[str, ArrowRows | DataFrame]:
    """`visits` and `quarantined_visits` of the days of `device_visits`; `visits` holds the earlier ones, all of them.

    A visit belongs to the history of its subscriber, else of its device. Order within a subject: (start, visit_id).
    """
    now = _starts(device_visit_files, runaway=True).withColumn("is_past", F.lit(False))
    with_history = _with_history(now.unionByName(_past_starts(visits, span))).where(~F.col("is_past"))
    needed = with_history.select("group", "file", "row", "t", "former", "visits_30d")
    grouped = needed.repartitionById(device_visit_files.groups, "group")
    return {
        VISITS.name: ArrowRows(grouped, partial(_with_columns, files=device_visit_files.files, spec=spec)),
        QUARANTINED_VISITS.name: device_visits.where(F.col("runaway").isNotNull()).select(
            *QUARANTINED_VISITS.column_names[:-1], F.col("runaway").alias("reason")
        ),
    }


def to_visit_days(visits: DataFrame, *, spec: None = None, span: Span | None = None) -> DataFrame:
    """`visit_days`: one row per visit and local day it touches."""
    days = visits.select("visit_id", "visit_date", "subscriber_id", "channel", F.inline("days"))
    return days.select(*VISIT_DAYS.column_names[:-1], (F.col("day") == F.col("visit_date")).alias("is_start_day"))


def _starts(visits: TableFiles, *, runaway: bool) -> DataFrame:
    """Start and subject of each visit; `runaway`: the table marks visits that belong to nobody's history."""
    return visits.listing.mapInArrow(partial(_starts_of, runaway=runaway), _STARTS_DDL)


def _starts_of(listing: Iterator[pa.RecordBatch], *, runaway: bool) -> Iterator[pa.RecordBatch]:
    columns = ["visit_id", "device_id", "subscriber_id", "start", *(["runaway"] if runaway else [])]
    for file in parts_of(listing):
        table = read_part(file, columns)
        by_device = pc.is_null(table["subscriber_id"])
        of_device = pa.array(hash_values(table["device_id"]).view(np.int64))
        starts = {
            "group": pa.repeat(pa.scalar(file.group, pa.int32()), table.num_rows),
            "file": pa.repeat(pa.scalar(file.number, pa.int32()), table.num_rows),
            "row": pa.array(np.arange(table.num_rows, dtype=np.int32)),
            "by_device": by_device,
            "subject": pc.if_else(by_device, of_device, table["subscriber_id"]),
            "t": table["start"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()),
            "visit_id": table["visit_id"],
        }
        found = pa.table(starts, schema=_STARTS)
        yield from (found.filter(pc.is_null(table["runaway"])) if runaway else found).to_batches()


def _past_starts(visits: TableFiles, span: Span) -> DataFrame:
    """Of the earlier visits: all starts of the last 30 days, and each subject's latest start before them."""
    # A day more than needed on either side: local days begin up to 14 hours away from those of UTC.
    first = span.widened(before=1 + FREQUENCY_DAYS + 2).start
    oldest = int(datetime.combine(first, time.min, UTC).timestamp()) * 1_000_000
    past = _starts(visits, runaway=False)
    recent = F.col("t") >= F.lit(oldest)
    latest = past.where(~recent).groupBy(*_SUBJECT).agg(F.max(F.struct("t", "visit_id")).alias("last"))
    older = latest.select(*_SUBJECT, "last.t", "last.visit_id")
    columns = [*_SUBJECT, "t", "visit_id"]
    nowhere = [F.lit(None).cast("int").alias(name) for name in ("group", "file", "row")]
    return past.where(recent).select(*columns).unionByName(older).select(*nowhere, "*", F.lit(True).alias("is_past"))


def _with_history(starts: DataFrame) -> DataFrame:
    """Adds `former` (start of the subject's former visit) and `visits_30d`. One sort serves both windows."""
    subject = Window.partitionBy(*_SUBJECT)
    recent = subject.orderBy("t").rangeBetween(-FREQUENCY_DAYS * DAY_US, Window.currentRow)
    ordered = starts.withColumn("former", F.lag("t").over(subject.orderBy("t", "visit_id")))
    return ordered.withColumn("visits_30d", F.count(F.lit(1)).over(recent).cast("int"))


def _with_columns(
    batches: Iterator[pa.RecordBatch], *, files: Sequence[FilePart], spec: Catalogue
) -> Iterator[pa.Table]:
    """The files of one group of visits, read again, with the columns that the history gave."""
    found = [pa.Table.from_batches([batch]) for batch in batches]
    if not found:
        return
    history = pa.concat_tables(found).sort_by([("file", "ascending"), ("row", "ascending")]).combine_chunks()
    numbers, starts = np.unique(history["file"].to_numpy(), return_index=True)
    for number, start, end in zip(numbers, starts, [*starts[1:], history.num_rows], strict=True):
        yield completed(read_part(files[number], DEVICE_VISITS.column_names), history.slice(start, end - start), spec)


def completed(visits: pa.Table, history: pa.Table, spec: Catalogue) -> pa.Table:
    """Rows of `device_visits` as rows of `visits`. `history` has `row`, `t`, `former`, `visits_30d` of what stays."""
    if history.num_rows < visits.num_rows:
        visits = visits.take(history["row"])
    known, rows = pc.is_valid(visits["subscriber_id"]), visits.num_rows
    gap = pc.subtract(history["t"], history["former"]).cast(pa.float64())
    computed = {
        "subject_type": pc.if_else(known, "subscriber", "device"),
        "stitch_rule": pc.if_else(known, f"same_visit/{spec.visit_rules.version}", pa.scalar(None, pa.string())),
        "is_first_visit": pc.is_null(history["former"]),
        "gap_days": pc.divide(gap, float(DAY_US)),
        "visits_30d": history["visits_30d"],
        "score": visit_scores(visits, spec.score_cards),
        "score_versions": pa.repeat(score_versions(spec.score_cards), rows),
    }
    return pa.table({name: computed[name] if name in computed else visits[name] for name in VISITS.column_names})
