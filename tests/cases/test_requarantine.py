"""Refused rows are taken over once what refused them was corrected: once, whatever happens meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from jobs.ingest_source import ingest
from jobs.requarantine import requarantine
from tests.cases.conftest import feed_context
from tests.cases.dirty_feeds import (
    CSV_FEED,
    FEEDS,
    NOON,
    csv_file,
    csv_row,
    json_row,
    lines,
    parquet_file,
    parquet_row,
    text_row,
    written,
)
from visitgrain.errors import InputMissing
from visitgrain.sources.fields import MAX_FIELD
from visitgrain.sources.replaying import Replay
from visitgrain.tables.inputs import EVENTS, SUBSCRIBER_MONTH
from visitgrain.tables.runs import QUARANTINED_EVENTS, RUN_LEDGER

KIND = "lookup(kind, {'tap': 'click', 'click': 'click'})"  # the correction: 'tap' is a click; 'nap' still is nothing
FIXED = {name: mapping.replace("event_type: kind", f'event_type: "{KIND}"') for name, mapping in FEEDS.items()}
REASON = "value:event_type"
EXACT = datetime(2026, 3, 1, 2, 0, 0, 123457, tzinfo=UTC)
LONG_TAP = csv_row("long", kind="tap", page="x" * MAX_FIELD, number="13800138000")


def write_feeds(folder) -> None:
    written(
        folder,
        {
            # two layouts of one feed, one with quotes, line ends and a field that the mapping does not know
            "csv_feed/events/a.csv": csv_file(
                csv_row("csv_good"),
                csv_row("csv_quoted", kind="tap", page='"/a,""b""\n/c"', number="13800138000", price="1.005"),
                csv_row("csv_nap", kind="nap"),
                LONG_TAP,
            ),
            "csv_feed/events/b.csv": csv_file(
                "tap,2026-03-01 11:00:00,csv_other,d2,gold,,,/x,,",
                header="kind,time,id,device,tier,number,received,page,step,price",
            ),
            "json_feed/a.jsonl": lines(
                json_row("json_good"),
                json_row("json_tap", kind="tap", number="13800138000", step=7, sent=NOON + 1, tier=1),
            ),
            "text_feed/a.log": lines(text_row("text_good"), text_row("text_tap", kind="tap", step="2")),
        },
    )
    taps = [
        parquet_row("parquet_tap", kind="tap", time=EXACT, price=2.675, step=4, tier="gold"),
        parquet_row("parquet_good"),
    ]
    parquet_file([{"tier": None, **row} for row in taps], folder / "parquet_feed/a.parquet", tier=pl.String)


def table_rows(made, table, *names: str) -> list[tuple]:
    rows = made.lake.read(table, optional=True).select(*names).collect()
    return sorted((tuple(row) for row in rows), key=str)


def all_events(made) -> list[tuple]:
    return table_rows(made, EVENTS, *(name for name in EVENTS.column_names if name != "load_id"))


def waiting(made) -> list[tuple]:
    """(reason, start of the payload) of the rows that are still refused."""
    rows = made.lake.read(QUARANTINED_EVENTS).where("replayed_at is null").collect()
    return sorted((row.reason, row.payload[:8]) for row in rows)


def world(spark, folder, **mappings: str):
    """A lake of its own; all of them share one key."""
    made = feed_context(spark, folder, **mappings)
    (folder / "key").write_text("k" * 32)
    (folder / "key").chmod(0o600)
    return made


@pytest.fixture(scope="module")
def replayed(spark, tmp_path_factory):
    """Every feed refused some rows; then `tap` was added to the mappings, and the rows were replayed."""
    folder = tmp_path_factory.mktemp("replay")
    write_feeds(folder / "in")
    made = world(spark, folder)
    for name in FEEDS:
        ingest(made, source=name, path=folder / "in" / name)
    before = waiting(made)
    feed_context(spark, folder, **FIXED)
    return made, before, requarantine(made, reason=REASON, fixed_by="tap is a click (operator)")


def test_the_tables_are_those_of_a_mapping_that_was_never_broken(spark, replayed, tmp_path):
    """Quotes, line ends, columns in another order, microseconds, decimals, rescued fields, pseudonyms: all the same."""
    write_feeds(tmp_path / "in")
    whole = world(spark, tmp_path, **FIXED)
    for name in FEEDS:
        ingest(whole, source=name, path=tmp_path / "in" / name)
    expected = [row for row in all_events(whole) if row[0] != "long"]  # what was cut cannot be replayed
    assert all_events(replayed[0]) == expected
    by_id = {row.event_id: row for row in replayed[0].lake.read(EVENTS).collect()}
    assert (by_id["csv_quoted"].page, by_id["csv_quoted"].amount_fen) == ('/a,"b"\n/c', 101)
    assert (by_id["parquet_tap"].event_time.microsecond, by_id["parquet_tap"].amount_fen) == (123457, 268)
    assert {id_ for id_, row in by_id.items() if row.rescued} == {"csv_other", "json_tap", "parquet_tap"}
    assert {row.load_id.rpartition("-")[0] == row.source for row in by_id.values()} == {True}


def test_every_replayed_row_is_accounted_for(replayed):
    made, before, results = replayed
    assert [reason for reason, _ in before] == [REASON] * 7
    assert {(part.source, part.not_whole): part.result.outcomes for part in results} == {
        ("csv_feed", 1): {"kept": 2, "quarantined:null:event_type": 1},
        ("json_feed", 0): {"kept": 1},
        ("parquet_feed", 0): {"kept": 1},
        ("text_feed", 0): {"kept": 1},
    }
    entries = made.lake.read(RUN_LEDGER).where("job = 'requarantine'").collect()
    assert sorted((entry.rows_in, sum(entry.outcomes.values())) for entry in entries) == [
        (1, 1),
        (1, 1),
        (1, 1),
        (3, 3),
    ]


def test_rows_leave_the_quarantine_with_a_mark_and_stay_in_it_with_their_reason(replayed):
    made, _, _ = replayed
    assert [reason for reason, _ in waiting(made)] == ["null:event_type", REASON]  # csv_nap, long
    marked = made.lake.read(QUARANTINED_EVENTS).where("replayed_at is not null").collect()
    assert {(row.reason, row.fixed_by, row.replay_run_id) for row in marked} == {
        (REASON, "tap is a click (operator)", made.run_id)
    }
    assert len(marked) == 5


def test_a_second_replay_changes_nothing(replayed):
    made, _, _ = replayed
    before = all_events(made), waiting(made), made.lake.version(QUARANTINED_EVENTS)
    [part] = requarantine(made, reason=REASON, fixed_by="again")
    assert (part.not_whole, part.result) == (1, None)
    assert (all_events(made), waiting(made), made.lake.version(QUARANTINED_EVENTS)) == before
    with pytest.raises(
        InputMissing, match=r"no row is refused for 'json'; refused rows wait for: null:event_type \(1\)"
    ):
        requarantine(made, reason="json", fixed_by="nobody")


def test_killed_before_the_mark_and_run_again_every_row_lands_once(spark, tmp_path, monkeypatch):
    """Between the crash and the second run the feed brings one of the rows again, in another file."""
    made, folder = world(spark, tmp_path), tmp_path / "in"
    taps = [csv_row(f"tap{n}", kind="tap") for n in range(3)]
    ingest(made, source="csv_feed", path=written(folder, {"events/a.csv": csv_file(*taps)}))
    feed_context(spark, tmp_path, **FIXED)
    killed = []

    def kill(self):
        killed.append(self.table.name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Replay, "_mark", kill)
        with pytest.raises(KeyboardInterrupt):
            requarantine(made, reason=REASON, fixed_by="x")
    assert killed == ["events"]
    assert len(waiting(made)) == 3
    ingest(
        made, source="csv_feed", path=written(tmp_path / "more", {"events/b.csv": csv_file(taps[0], csv_row("new"))})
    )
    [part] = requarantine(made, reason=REASON, fixed_by="x")
    assert part.result.outcomes == {"kept": 0, "duplicate": 3}
    assert [row[0] for row in all_events(made)] == ["new", "tap0", "tap1", "tap2"]
    assert waiting(made) == []
    # Loading the first file again takes back what came from the quarantine, and brings it once more.
    ingest(made, source="csv_feed", path=folder, again=True)
    assert [row[0] for row in all_events(made)] == ["new", "tap0", "tap1", "tap2"]


def test_a_snapshot_is_not_undone_by_an_older_row(spark, tmp_path):
    """Months of 1, 2, 3 are refused twice; of 1 a good one comes in between, of 3 one came before."""
    head = "number,month,arpu,dou,sms\n"
    wrong, right = "1 yuan", "7"
    made = world(spark, tmp_path)
    for n, rows in enumerate(
        [
            f"3,2026-02,{right},1,1\n",
            "".join(f"{n},2026-02,{wrong},1,1\n" for n in (1, 2, 3)),
            f"1,2026-02,{right},1,1\n",
        ]
    ):
        files = {f"months/{n}.csv": (head + rows).encode()}
        ingest(made, source="csv_feed", path=written(tmp_path / str(n), files))
    again = {"months/9.csv": f"{head}2,2026-02,9 yuan,1,1\n".encode()}
    ingest(made, source="csv_feed", path=written(tmp_path / "9", again))
    mapping = CSV_FEED.replace("arpu_fen: fen(arpu)", "arpu_fen: fen(replace(arpu, ' yuan', ''))")
    feed_context(spark, tmp_path, csv_feed=mapping)
    [part] = requarantine(made, reason="type:arpu_fen", fixed_by="yuan is a word", table="subscriber_month")
    assert part.result.outcomes == {"kept": 2, "filtered:superseded": 2}
    # 1: 7 yuan of the later delivery; 2: 9 yuan, the last one; 3: 1 yuan, which came after 7 yuan
    assert table_rows(made, SUBSCRIBER_MONTH, "arpu_fen") == [(100,), (700,), (900,)]
    assert waiting(made) == []
