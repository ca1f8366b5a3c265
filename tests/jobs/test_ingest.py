"""Ingest, end to end: every row has one fate, whatever the files look like and in whatever order they come."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from jobs.ingest_source import ingest
from tests.jobs.ingest_world import HEADER, SHOP, deliver, event, outcomes, shop_context
from visitgrain.errors import GateRefused, InputMissing
from visitgrain.tables.inputs import EVENTS, ORDERS, SUBSCRIBER_MONTH
from visitgrain.tables.runs import CONFLICTING_EVENTS, INGEST_MANIFEST, QUARANTINED_EVENTS


def clock(name):
    return F.date_format(name, "yyyy-MM-dd HH:mm:ss").alias(name)


def rows(made, table, *columns):
    return sorted(tuple(row) for row in made.lake.read(table).select(*columns).collect())


def test_c13_same_file_counts_once_whatever_its_name(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    first = [event("a", "2026-03-01T10:00:00")]
    result = deliver(made, tmp_path / "1", {"events/a.csv": first, "events/copy.csv": first})
    assert (result.files, result.skipped) == (("events/a.csv",), ("events/copy.csv",))
    assert outcomes(result) == {"kept": 1}
    version = made.lake.version(EVENTS)

    again = deliver(made, tmp_path / "2", {"events/renamed.csv": first})
    assert (again.files, again.skipped, again.tables) == ((), ("events/renamed.csv",), ())
    overlapping = deliver(made, tmp_path / "3", {"events/more.csv": [*first, event("b", "2026-03-01T11:00:00")]})
    assert outcomes(overlapping) == {"kept": 1, "duplicate": 1}
    assert made.lake.version(EVENTS) > version
    assert rows(made, EVENTS, "event_id") == [("a",), ("b",)]
    assert rows(made, INGEST_MANIFEST, "file") == [("events/a.csv",), ("events/more.csv",)]


# The same event received twice with different content, on different days, and once more as it was.
EARLY = event("x", "2026-03-01T10:00:00", received="2026-03-01T10:00:05", page="/early")
LATE = event("x", "2026-03-02T10:00:00", received="2026-03-03T00:00:00", page="/late")
RESENT = event("x", "2026-03-01T10:00:00", received="2026-03-04T00:00:00", page="/early")
OTHER = event("y", "2026-03-02T09:00:00", received="2026-03-02T09:00:00")


@pytest.mark.parametrize(
    "batches",
    [
        [[EARLY, LATE, RESENT, OTHER]],
        [[RESENT], [LATE, OTHER], [EARLY]],
        [[LATE, OTHER], [RESENT], [EARLY]],
    ],
    ids=["at once", "backwards", "loser first"],
)
def test_d03_conflict_has_one_winner_in_any_order(spark, tmp_path, batches):
    made = shop_context(spark, tmp_path)
    results = [deliver(made, tmp_path / str(n), {"events/e.csv": batch}) for n, batch in enumerate(batches)]
    stand = rows(made, EVENTS, "event_id", "page", clock("event_time"), clock("received_time"))
    lost = made.lake.read(CONFLICTING_EVENTS).collect()
    assert [row[:2] for row in stand] == [("x", "/early"), ("y", "/")]
    assert stand[0][2:4] == ("2026-03-01 10:00:00", "2026-03-01 10:00:05")
    assert [(row.event_id, '"page":"/late"' in row.payload) for row in lost] == [("x", True)]
    assert sum(table.rows_read for result in results for table in result.tables) == 4


def test_order_keeps_its_furthest_status(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    head = "id,time,status,price\n"
    paid = deliver(made, tmp_path / "1", {"orders/a.csv": head + "o1,2026-03-01T10:00:00,paid,9.90\n"})
    late = deliver(
        made,
        tmp_path / "2",
        {"orders/b.csv": head + "o1,2026-03-01T10:00:00,created,9.90\no2,2026-03-01T10:00:00,created,1\n"},
    )
    done = deliver(made, tmp_path / "3", {"orders/c.csv": head + "o1,2026-03-01T10:00:00,fulfilled,9.90\n"})
    assert [outcomes(result, "orders") for result in (paid, late, done)] == [
        {"kept": 1},
        {"kept": 1, "superseded": 1},
        {"kept": 1},
    ]
    assert rows(made, ORDERS, "order_id", "status", "amount_fen") == [("o1", "fulfilled", 990), ("o2", "created", 100)]


def test_c16_month_is_replaced_by_a_new_delivery_but_must_not_contradict_itself(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    head = "number,month,arpu\n"
    first = deliver(
        made, tmp_path / "1", {"months/a.csv": head + "1,2026-02,10\n2,2026-02,20\n3,2026-02,30\n3,2026-02,31\n"}
    )
    assert outcomes(first, "subscriber_month") == {"kept": 2, "quarantined:duplicate_key": 2}
    second = deliver(made, tmp_path / "2", {"months/b.csv": head + "1,2026-02,11\n2,2026-02,20\n2,2026-02,20\n"})
    assert outcomes(second, "subscriber_month") == {"kept": 1, "duplicate": 2}
    assert sorted(row.arpu_fen for row in made.lake.read(SUBSCRIBER_MONTH).collect()) == [1100, 2000]
    refused = made.lake.read(QUARANTINED_EVENTS).collect()
    assert sorted((row.reason, row.position, row.payload) for row in refused) == [
        ("duplicate_key", 44, "3,2026-02,30"),
        ("duplicate_key", 57, "3,2026-02,31"),
    ]


def test_nothing_to_read_is_said_plainly(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    with pytest.raises(InputMissing, match="no file for source 'shop'; it looks for events: events/"):
        deliver(made, tmp_path / "1", {"other/a.csv": "x"})
    with pytest.raises(GateRefused, match=r"'device' \(read by events\.device_id\); did you mean 'devise'"):
        deliver(made, tmp_path / "2", {"events/a.csv": HEADER.replace("device", "devise") + "\n"})
    assert not made.lake.has(EVENTS)


def test_corrected_mapping_loads_the_same_files_again(spark, tmp_path):
    """150 yuan were taken for 150 fen; a file of another day stays as it is."""
    wrong = shop_context(spark, tmp_path, mapping=SHOP.replace("fen(price)\n      props", "int(price)\n      props"))
    deliver(wrong, tmp_path / "0", {"events/z.csv": [event("z", "2026-03-01T09:00:00", price="1")]})
    files = {"events/a.csv": [event("a", "2026-03-01T10:00:00", price="150"), event("b", "2026-03-02", price="x")]}
    deliver(wrong, tmp_path / "1", files)
    made = shop_context(spark, tmp_path)
    assert deliver(made, tmp_path / "1", files).tables == ()
    result = ingest(made, source="shop", path=tmp_path / "1", again=True)
    assert outcomes(result) == {"kept": 1, "quarantined:type:amount_fen": 1}
    assert rows(made, EVENTS, "event_id", "amount_fen") == [("a", 15000), ("z", 1)]
    assert [row.position for row in made.lake.read(QUARANTINED_EVENTS).collect()] == [
        len(f"{HEADER}\n{files['events/a.csv'][0]}\n")
    ]
    assert rows(made, INGEST_MANIFEST, "file") == [("events/a.csv",), ("events/z.csv",)]


def test_loading_again_needs_all_files_of_the_load(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    files = {f"events/{name}.csv": [event(name, "2026-03-01T10:00:00")] for name in "ab"}
    deliver(made, tmp_path / "1", files)
    with pytest.raises(
        GateRefused, match=r"1 files came with the same earlier load and are not at --path: events/b\.csv"
    ):
        ingest(made, source="shop", path=tmp_path / "1" / "events" / "a.csv", again=True)
    assert rows(made, EVENTS, "event_id") == [("a",), ("b",)]


def test_ids_are_known_again_within_the_horizon(spark, tmp_path):
    """30 days by default: from 1 to 31 March is within them, from 1 March to 30 April is not."""
    made = shop_context(spark, tmp_path)
    outcomes = []
    for number, day in enumerate(["2026-03-01", "2026-03-31", "2026-04-30"]):
        [table] = deliver(made, tmp_path / str(number), {"events/e.csv": [event("x", f"{day} 10:00:00")]}).tables
        outcomes.append({name for name, rows in table.outcomes.items() if rows})
    assert outcomes == [{"kept"}, {"conflicting"}, {"kept"}]
