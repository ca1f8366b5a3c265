"""The fixture of snowplow-web 0.15.2 through its mapping: each row meets the fate its authors gave it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

import pytest

from jobs.ingest_source import ingest
from tests.jobs.runtime_world import context
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import CONFLICTING_EVENTS


@pytest.fixture(scope="module")
def loaded(spark, shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("snowplow")
    made = context(spark, folder / "lake", pseudonym_secret_file=folder / "key")
    result = ingest(made, source="snowplow", path=shared / "oracles/snowplow_web_0.15.2")
    return result, made.lake.read(EVENTS).collect(), made.lake.read(CONFLICTING_EVENTS).collect()


def expected(shared):
    """The rules of the fixture in plain Python: event id -> row, and how many rows each rule takes."""
    with (shared / "oracles/snowplow_web_0.15.2/snowplow_web_events.csv").open() as file:
        rows = list(csv.DictReader(file))
    with_key = [row for row in rows if row["domain_sessionid"]]
    winners = {}
    for row in with_key:
        best = winners.setdefault(row["event_id"], row)
        if (row["collector_tstamp"], row["etl_tstamp"]) < (best["collector_tstamp"], best["etl_tstamp"]):
            winners[row["event_id"]] = row
    return rows, with_key, winners


def sent_late(row):
    """The device kept the event back for more than 3 days."""
    sent, created = row["dvce_sent_tstamp"], row["dvce_created_tstamp"]
    return bool(sent and created) and datetime.fromisoformat(sent) - datetime.fromisoformat(created) > timedelta(days=3)


def test_one_row_per_event_id(loaded, shared):
    result, events, _ = loaded
    rows, with_key, winners = expected(shared)
    counts = result.tables[0].outcomes
    assert result.tables[0].rows_read == len(rows) == 160
    assert counts["filtered:no_visit_key"] == len(rows) - len(with_key)
    late = {id_ for id_, row in winners.items() if sent_late(row)}
    assert {winners[id_]["user_id"] for id_ in late} >= {"late arriving: device created/sent >3 days"}
    assert {row.event_id for row in events} == set(winners) - late
    assert counts["filtered:sent_late"] == len(late)
    assert counts["kept"] == len(winners) - len(late)
    assert sum(counts.values()) == 160


def test_winner_is_the_first_received(loaded, shared):
    _, events, _ = loaded
    _, _, winners = expected(shared)
    for event in events:
        best = winners[event.event_id]
        assert event.visit_key == best["domain_sessionid"]
        assert event.props["name"] == best["event_name"]
        assert event.event_type == {"page_view": "page_view", "page_ping": "impression"}.get(
            best["event_name"], "click"
        )


def labelled(shared, label: str) -> list[dict[str, str]]:
    """Rows of the fixture with this edge case: its authors wrote its name into user_id."""
    found = [row for row in expected(shared)[0] if row["user_id"] == label]
    assert found, label
    return found


def kept(loaded, rows) -> dict:
    """Events of these rows, by id."""
    ids = {row["event_id"] for row in rows}
    return {event.event_id: event for event in loaded[1] if event.event_id in ids}


def milliseconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp() * 1000)


def test_dupe_event_id_different_collector_tstamp(loaded, shared):
    """Sent twice, 2.5 s apart: the first received stands, the other is kept beside it as a conflict."""
    rows = labelled(shared, "dupe: event_id different collector_tstamp")
    twice = [row for row in rows if row["event_id"].startswith("9e983d4a")]
    first, second = sorted(row["collector_tstamp"] for row in twice)
    stands = kept(loaded, twice)[twice[0]["event_id"]]
    assert stands.received_time.timestamp() * 1000 == milliseconds(first)
    [lost] = [row for row in loaded[2] if row.event_id == twice[0]["event_id"]]
    assert lost.received_time.timestamp() * 1000 == milliseconds(second)
    assert len(kept(loaded, rows)) == len(rows) - 1


def test_dupe_event_id_same_collector_tstamp(loaded, shared):
    """Two ids twice, received in the same millisecond: one of each stands, the hash of its content decides."""
    rows = labelled(shared, "dupe: event_id same collector_tstamp")
    twice = {row["event_id"] for row in rows if sum(row["event_id"] == other["event_id"] for other in rows) > 1}
    assert {id_[:8] for id_ in twice} == {"1b4b3b57", "17e6ae5e"}
    assert set(kept(loaded, rows)) == {row["event_id"] for row in rows}
    assert sorted(row.event_id for row in loaded[2] if row.event_id in twice) == sorted(twice)


def test_late_arriving_device_created_sent_over_3_days(loaded, shared):
    """The device kept them for 4 days and 8 hours: filtered, as Snowplow does."""
    rows = labelled(shared, "late arriving: device created/sent >3 days")
    assert all(sent_late(row) for row in rows)
    assert kept(loaded, rows) == {}


def test_null_domain_sessionid(loaded, shared):
    assert kept(loaded, labelled(shared, "NULL domain_sessionid")) == {}
    assert loaded[0].tables[0].outcomes["filtered:no_visit_key"] == 1


def test_null_domain_userid(loaded, shared):
    """The cookie of the network stands for the missing one of the site."""
    [row] = labelled(shared, "NULL domain_userid")
    assert kept(loaded, [row])[row["event_id"]].device_id == row["network_userid"]


def test_null_page_view_id(loaded, shared):
    rows = labelled(shared, "NULL page_view_id")
    page_views = [event for event in kept(loaded, rows).values() if event.event_type == "page_view"]
    assert ["page_view_id" in event.props for event in page_views] == [False]
    assert len(kept(loaded, rows)) == 2


def test_dupe_page_view_id_different_derived_tstamp(loaded, shared):
    """One page view told by several events: ids of events differ, so all of them stay."""
    rows = labelled(shared, "dupe: page_view_id different derived_tstamp")
    assert len(kept(loaded, rows)) == len({row["event_id"] for row in rows}) == 11


def test_stray_page_ping(loaded, shared):
    """A heartbeat without its page view, two days after it: an impression of another visit."""
    found = kept(loaded, labelled(shared, "stray page ping")).values()
    assert sorted((event.event_type, event.visit_key[:6]) for event in found) == [
        ("click", "4d34b5"),
        ("impression", "0b5d42"),
        ("page_view", "4d34b5"),
    ]


def test_rotating_domain_userid_per_session(loaded, shared):
    """One visit key under three cookies: three devices, one key."""
    found = kept(loaded, labelled(shared, "Rotating domain_userid per session")).values()
    assert len({event.device_id for event in found}) == 3
    assert len({event.visit_key for event in found}) == 1


def test_nothing_is_excluded_rescued_or_refused(loaded):
    """People with browsers; fields beside the mapping are left behind on purpose."""
    result, events, _ = loaded
    assert {(event.exclusion, event.rescued) for event in events} == {(None, None)}
    assert {event.props["user_agent"].partition("/")[0] for event in events} == {"Mozilla"}
    assert (result.unread, result.tables[0].notes) == ((), {})
    assert not [name for name in result.tables[0].outcomes if name.startswith("quarantined:")]
