"""Cases C12, C14, C18: a delivery that is unusual, changes under our hands, or whose refused rows find no place."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.ingest_source import NAME, ingest
from tests.jobs.ingest_world import delivery, event, outcomes, shop_context
from visitgrain.errors import GateRefused, JobFailed, VisitgrainError
from visitgrain.runtime.ledger import Entry
from visitgrain.sources.loading import TableLoad
from visitgrain.sources.volume import assert_usual
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import INGEST_MANIFEST, QUARANTINED_EVENTS

TODAY = date(2026, 3, 10)
WEEK = {date(2026, 3, day): rows for day, rows in enumerate([90, 100, 100, 100, 500, 0, 100], start=3)}


@pytest.mark.parametrize(
    ("case", "rows", "by_day", "factor", "refused"),
    [
        ("the first day has no usual", 10**9, {}, 10, False),
        ("nothing on the first day", 0, {}, 10, False),
        ("nothing", 0, WEEK, 10, True),
        ("one row", 1, WEEK, 10, False),
        ("just below 10 times the median of 100", 999, WEEK, 10, False),
        ("10 times", 1_000, WEEK, 10, True),
        ("two loads of a day together", 500, {**WEEK, TODAY: 500}, 10, True),
        ("nothing more, an hour later", 0, {**WEEK, TODAY: 5}, 10, False),
        ("another limit", 200, WEEK, 2, True),
        ("no limit", 10**9, WEEK, None, False),
        ("days without a row are usual", 0, {date(2026, 3, 9): 0}, 10, False),
        (
            "only the newest 28 days count",
            1_000,
            {TODAY - timedelta(days=n): 100 if n < 15 else 1 for n in range(1, 60)},
            10,
            True,
        ),
        ("a day later than today does not", 0, {date(2026, 3, 11): 100}, 10, False),
    ],
)
def test_c12_usual_volume(case, rows, by_day, factor, refused):
    if not refused:
        assert_usual("events", rows, by_day, TODAY, factor)
        return
    with pytest.raises(GateRefused, match=r"table events: [\d,]+ rows came today, .*--allow-volume"):
        assert_usual("events", rows, by_day, TODAY, factor)


def yesterday(rows: int) -> Entry:
    """What the ledger says of a load of yesterday."""
    return Entry(
        run_id="r",
        job=NAME,
        table_name="events",
        period_start=TODAY,
        period_end=TODAY,
        status="ok",
        code_version="",
        catalogue_hash="shop-0123456789ab",
        output_version=0,
        rows_in=rows,
        outcomes={"kept": rows},
        rows_out=rows,
        content_hash=None,
        started_at=datetime.now(UTC) - timedelta(days=1),
        seconds=1.0,
    )


def test_c12_unusual_delivery_stores_nothing_until_allowed(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    made.ledger.record(made.lake, [yesterday(2)])
    many = delivery(tmp_path / "many", {"events/e.csv": [event(f"e{n}", "2026-03-01 10:00:00") for n in range(20)]})
    none = delivery(tmp_path / "none", {"events/e.csv": []})
    for folder in (many, none):
        with pytest.raises(GateRefused, match="2 are usual"):
            ingest(made, source="shop", path=folder)
    assert not any(made.lake.has(table) for table in (EVENTS, INGEST_MANIFEST, QUARANTINED_EVENTS))
    assert outcomes(ingest(made, source="shop", path=many, allow_volume=True)) == {"kept": 20}


def replacing(monkeypatch, file, replace):
    """Once the rows are staged, `replace` gets the file."""
    stage, calls = TableLoad.stage, []

    def staged(self, rows):
        stage(self, rows)
        if not calls:
            replace(file)
        calls.append(file)

    monkeypatch.setattr(TableLoad, "stage", staged)
    return calls


def in_place(file):
    """Same size, and the time of change put back: only the content is another one."""
    before = file.stat()
    file.write_bytes(file.read_bytes().replace(b"2026-03-01", b"2026-03-02"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def removed(file):
    file.unlink()


@pytest.mark.parametrize("change", [in_place, removed])
def test_c14_file_replaced_while_it_is_read(spark, tmp_path, monkeypatch, change):
    made = shop_context(spark, tmp_path)
    folder = delivery(tmp_path / "in", {"events/e.csv": [event("a", "2026-03-01 10:00:00")]})
    calls = replacing(monkeypatch, folder / "events/e.csv", change)
    with pytest.raises(JobFailed, match=r"events/e\.csv: the file changed while it was read; nothing was published"):
        ingest(made, source="shop", path=folder)
    assert len(calls) == 1
    assert not any(made.lake.has(table) for table in (EVENTS, INGEST_MANIFEST))
    if change is in_place:  # the next run takes what is there now
        assert outcomes(ingest(made, source="shop", path=folder)) == {"kept": 1}
        assert made.lake.read(EVENTS).first().event_date == date(2026, 3, 2)


def test_c18_quarantine_cannot_be_written(spark, tmp_path, monkeypatch):
    """The job fails and nothing was stored; once there is room again, the same command does it all."""
    made = shop_context(spark, tmp_path)
    rows = [event("good", "2026-03-01 10:00:00"), event("bad", "yesterday")]
    folder, append, calls = delivery(tmp_path / "in", {"events/e.csv": rows}), made.lake.append, []

    def no_room(table, *arguments, **options):
        if table is QUARANTINED_EVENTS:
            calls.append(table)
            raise OSError(28, "No space left on device")
        return append(table, *arguments, **options)

    monkeypatch.setattr(made.lake, "append", no_room)
    with pytest.raises(VisitgrainError):
        ingest(made, source="shop", path=folder)
    assert len(calls) == 1
    assert not any(made.lake.has(table) for table in (EVENTS, INGEST_MANIFEST))
    monkeypatch.setattr(made.lake, "append", append)
    assert outcomes(ingest(made, source="shop", path=folder)) == {"kept": 1, "quarantined:type:event_time": 1}
