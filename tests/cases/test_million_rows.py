"""A delivery of a million rows with twelve kinds of defects: every row is accounted for under its reason."""

from __future__ import annotations

from collections import Counter

import pytest
from pyspark.sql import functions as F

from tests.cases.conftest import feed_context
from tests.cases.dirty_feeds import COLUMNS, csv_row
from tests.cases.labelled import CSV
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import QUARANTINED_EVENTS

ROWS = 1_000_000
DEFECTS = (
    "too few fields",
    "text after a quote",
    "no UTF-8",
    "no device",
    "no time",
    "no type",
    "30 February",
    "half a step",
    "infinite price",
    "unknown type",
    "1970",
    "no phone number",
)


@pytest.mark.faults
def test_a_million_rows_are_accounted_for_reason_by_reason(spark, tmp_path):
    """Defect n comes in 1,000 + 37 n rows; the rest is good."""
    from jobs.ingest_source import ingest

    expected = {CSV[name][0]: 1_000 + 37 * number for number, name in enumerate(DEFECTS)}
    assert len(expected) == 12
    bad = sum(expected.values())
    file = tmp_path / "in/events/million.csv"
    file.parent.mkdir(parents=True)
    with file.open("wb") as out:
        out.write(f"{COLUMNS}\n".encode())
        for number, name in enumerate(DEFECTS):
            for n in range(1_000 + 37 * number):
                row = CSV[name][1](f"bad-{number}-{n}")
                out.write((row if isinstance(row, bytes) else str(row).encode()) + b"\n")
        out.writelines(csv_row(f"good-{n}").encode() + b"\n" for n in range(ROWS - bad))
    made = feed_context(spark, tmp_path)
    [result] = ingest(made, source="csv_feed", path=tmp_path / "in").tables
    quarantined = {name: n for name, n in result.outcomes.items() if name.startswith("quarantined:")}
    assert quarantined == {f"quarantined:{reason}": rows for reason, rows in expected.items()}
    assert (result.rows_read, result.outcomes["kept"]) == (ROWS, ROWS - bad)
    stored = made.lake.read(QUARANTINED_EVENTS).groupBy("reason").agg(F.count("*").alias("rows")).collect()
    assert Counter({row["reason"]: row["rows"] for row in stored}) == expected
    assert made.lake.rows(EVENTS) == ROWS - bad
