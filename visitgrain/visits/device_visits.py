"""Events -> `device_visits` in Spark: one shuffle by stream, one vectorised function per partition."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.span import Span
from visitgrain.tables.visiting import DEVICE_VISITS
from visitgrain.visits.building import BUILT, build
from visitgrain.visits.encoding import to_coded_events

POSITIVE = 0x7FFF_FFFF_FFFF_FFFF
# What becomes of events that are in no visit of the span: bots and tests, no collector key, received too late by the
# rules, background outside of visits, in a visit that starts on another day.
FILTERED = ("excluded", "no_key", "received_late", "background", "outside")


def to_device_visits(events: DataFrame, *, spec: Catalogue, span: Span) -> DataFrame:
    """`device_visits` that start in the span or on the day before it, and the accounting of every event read.

    The one shuffle of event-sized data. Times the visits need around the span are the reader's matter.
    """
    target = span.widened(before=1)
    run = partial(_of_partition, rules=spec.visit_rules, zone=spec.zone, first=target.start, last=target.end)
    ddl = ", ".join(f"`{column.name}` {column.type}" for column in BUILT)
    built = to_coded_events(events, rules=spec.visit_rules).repartition("stream").mapInArrow(run, ddl)
    identity = F.xxhash64("device_id", "channel", "start", "first_event_id").bitwiseAND(F.lit(POSITIVE))
    return built.select(identity.alias("visit_id"), *DEVICE_VISITS.column_names[1:], "_rows", "_outcome")


def _of_partition(
    batches: Iterator[pa.RecordBatch], *, rules: VisitRules, zone: str, first: date, last: date
) -> Iterator[pa.RecordBatch]:
    events = list(batches)
    if events:
        table = pa.Table.from_batches(events)
        yield from build(table, rules=rules, zone=zone, first=first, last=last).to_batches()
