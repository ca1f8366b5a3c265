"""A delivery of a million rows with twelve kinds of defects: every row is accounted for under its reason."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from tests.cases.conftest import feed_context
from tests.cases.dirty_feeds import COLUMNS, csv_row
from tests.cases.labelled import CSV
from visitgrain.runtime import delta_log
from visitgrain.runtime.records import records
from visitgrain.runtime.storage import Store
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
def test_a_million_rows_are_accounted_for_reason_by_reason(tmp_path):
    """Defect n comes in 1,000 + 37 n rows; the rest is good. A process of its own: tests' sessions compile nothing."""
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
    made = feed_context(None, tmp_path)
    settings = ["--set", f"pseudonym_secret_file={made.settings.pseudonym_secret_file}"]
    command = [
        sys.executable,
        "-m",
        "visitgrain.cli",
        "--conf",
        str(made.conf),
        "--lake",
        made.settings.lake,
        *settings,
    ]
    subprocess.run([*command, "ingest", "--source", "csv_feed", "--path", str(tmp_path / "in")], check=True)
    [entry] = made.ledger.entries()
    quarantined = {name: n for name, n in entry.outcomes.items() if name.startswith("quarantined:")}
    assert quarantined == {f"quarantined:{reason}": rows for reason, rows in expected.items()}
    assert (entry.rows_in, entry.outcomes["kept"], sum(entry.outcomes.values())) == (ROWS, ROWS - bad, ROWS)
    store = Store(made.settings.lake)
    assert Counter(row["reason"] for row in records(store, QUARANTINED_EVENTS, ["reason"])) == expected
    assert sum(file.rows for file in delta_log.files(store, EVENTS)) == ROWS - bad
