"""The whole step from coded events to visits, as one pure function on Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl
import pyarrow as pa

from visitgrain.arrow.casting import ARROW, as_types
from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.tables.model import Column, col
from visitgrain.tables.visiting import DAY_TYPE, DEVICE_VISITS
from visitgrain.visits.calendar_days import with_calendar
from visitgrain.visits.cutting import cut
from visitgrain.visits.measuring import measure

# What `build` returns: device_visits but for the id, which is hashed later, and the accounting.
BUILT: tuple[Column, ...] = (
    col("first_event_id", "string", "event that opens the visit"),
    *[column for column in DEVICE_VISITS.columns if column.name != "visit_id"],
    col("_rows", "bigint", "events the row accounts for"),
    col("_outcome", "string", "what became of them"),
)
_DAY = [("day", pa.date32()), ("events", pa.int32()), ("active_events", pa.int32()), ("seconds", pa.int64())]
_ARROW = {**ARROW, DAY_TYPE: pa.list_(pa.struct(_DAY))}
SCHEMA = pa.schema([(column.name, _ARROW[column.type]) for column in BUILT])


def build(events: pa.Table, *, rules: VisitRules, zone: str, first: date, last: date) -> pa.Table:
    """Visits that start on the local days `first`..`last`, in the columns of `SCHEMA`.

    `events` are whole streams in the columns of `to_coded_events`, in any order. Every event is accounted for: a visit
    carries its events as `_rows` with `_outcome` kept, or 'outside' when it starts on another day; events without a
    visit come as one row per reason, all other columns null. Sum of `_rows` = rows of `events`.
    """
    pieces = cut(events, rules)
    if not len(pieces.starts):
        return accounted(pieces.dropped)
    visits = with_calendar(measure(pieces, rules), pieces, zone=zone)
    inside = pl.col("visit_date").is_between(first, last)
    visits = visits.with_columns(
        _rows=pl.col("events").cast(pl.Int64),
        _outcome=pl.when(inside).then(pl.lit("kept")).otherwise(pl.lit("outside")),
    )
    outside = visits.filter(~inside).group_by("_outcome").agg(pl.col("_rows").sum())
    return _as_schema(pl.concat([visits.filter(inside), outside, _dropped(pieces.dropped)], how="diagonal"))


def accounted(dropped: Mapping[str, int]) -> pa.Table:
    """A row per reason why events are in no visit, in the columns of `SCHEMA`."""
    return _as_schema(_dropped(dropped))


def _dropped(dropped: Mapping[str, int]) -> pl.DataFrame:
    rows = [(dropped[reason], reason) for reason in sorted(dropped)]
    return pl.DataFrame(rows, schema={"_rows": pl.Int64, "_outcome": pl.String}, orient="row")


def _as_schema(frame: pl.DataFrame) -> pa.Table:
    missing = [pl.lit(None).alias(name) for name in SCHEMA.names if name not in frame.columns]
    return as_types(frame.with_columns(missing).to_arrow(), SCHEMA)
