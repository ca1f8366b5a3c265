"""The fixture of snowplow-web 0.15.2 through its mapping: each row meets the fate its authors gave it."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta

import pytest

from jobs.ingest_source import ingest
from tests.jobs.runtime_world import context
from visitgrain.tables.inputs import EVENTS


@pytest.fixture(scope="module")
def loaded(spark, shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("snowplow")
    made = context(spark, folder / "lake", pseudonym_secret_file=folder / "key")
    result = ingest(made, source="snowplow", path=shared / "oracles/snowplow_web_0.15.2")
    return result, made.lake.read(EVENTS).collect()


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
    result, events = loaded
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
    _, events = loaded
    _, _, winners = expected(shared)
    for event in events:
        best = winners[event.event_id]
        assert event.visit_key == best["domain_sessionid"]
        assert event.props["name"] == best["event_name"]
        assert event.event_type == {"page_view": "page_view", "page_ping": "impression"}.get(
            best["event_name"], "click"
        )
