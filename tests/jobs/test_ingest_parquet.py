"""Refused rows of Parquet files lead back to their file, from folders like day=2026-03-01 and names with blanks."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from jobs.ingest_source import ingest
from tests.jobs.runtime_world import context
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import QUARANTINED_EVENTS

TIME = datetime(2026, 3, 1, 4, tzinfo=UTC)


def test_a_refused_row_is_kept_with_its_file_and_row(spark, tmp_path):
    folder = tmp_path / "feed" / "events" / "day=2026-03-01"
    folder.mkdir(parents=True)
    rows = pl.DataFrame(
        {
            "event_id": ["good", "bad"],
            "device_id": ["d", "d"],
            "channel": ["app", "ap"],
            "event_type": ["launch", "launch"],
            "event_time": [TIME, TIME],
            "received_time": [TIME, TIME],
        }
    )
    rows.write_parquet(folder / "part 1.parquet")
    made = context(spark, tmp_path / "lake", pseudonym_secret_file=tmp_path / "key")
    result = ingest(made, source="canonical", path=tmp_path / "feed")
    assert result.tables[0].outcomes == {"kept": 1, "quarantined:value:channel": 1}
    assert [row.event_id for row in made.lake.read(EVENTS).collect()] == ["good"]
    refused = made.lake.read(QUARANTINED_EVENTS).select("file", "position", "reason").collect()
    assert [tuple(row) for row in refused] == [("events/day=2026-03-01/part 1.parquet", 1, "value:channel")]
