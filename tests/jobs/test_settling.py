"""Two rows of one event that differ only in what ingest noted: the same one stands, whichever came first."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from pyspark.sql import functions as F

from visitgrain.sources import settling
from visitgrain.tables.inputs import EVENTS

TIME = datetime(2026, 3, 1, 4, tzinfo=UTC)
EVENT = {
    "event_id": "e",
    "event_date": date(2026, 3, 1),
    "device_id": "d",
    "channel": "app",
    "event_time": TIME,
    "received_time": TIME,
    "event_type": "click",
    "load_id": "l",
}
NOTES = [
    {"source": "a", "rescued": {"tier": "gold"}},
    {"source": "a", "exclusion": "bot"},
    {"source": "a", "clock_skew_s": 90_000},
    {"source": "b"},
]


@pytest.mark.parametrize("stored", [None, 0, 1, 2, 3], ids=lambda n: f"stored: {n}")
def test_notes_break_ties_and_nothing_else(spark, stored):
    def frame(notes):
        rows = [tuple({**EVENT, **note}.get(name) for name in EVENTS.column_names) for note in notes]
        return spark.createDataFrame(rows, EVENTS.ddl)

    new = frame([note for n, note in enumerate(NOTES) if n != stored]).withColumn("_key", F.xxhash64("event_id"))
    there = None if stored is None else frame([NOTES[stored]])
    hashes = settling.repeated(new, there, EVENTS, "_key")
    rows = settling.contested(new, there, hashes, EVENTS, "_key").collect()
    assert sorted(row["_outcome"] for row in rows) == ["duplicate", "duplicate", "duplicate", "kept"]
    [stands] = [row for row in rows if row["_outcome"] == "kept"]
    assert (stands.source, stands.clock_skew_s) == ("a", 90_000)  # the smallest of the notes as JSON
