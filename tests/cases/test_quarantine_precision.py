"""5,400 rows with one known defect each among 8,000 good ones, in four formats: every row meets its own fate."""

from __future__ import annotations

import hashlib

import pytest

from tests.cases.dirty_feeds import FEEDS
from tests.cases.labelled import id_in

LABELLED = ("events/labelled.csv", "labelled.jsonl", "labelled.log", "labelled.parquet")


def test_there_are_enough_of_them(dirty):
    assert sum(len(label.bad) for label in dirty.labels.values()) >= 5_000


@pytest.mark.parametrize("feed", FEEDS)
def test_every_bad_row_is_refused_for_its_reason_at_its_place(dirty, feed):
    expected = {place: reason for place, (reason, _) in dirty.labels[feed].bad.items()}
    found = {(row.file, row.position): row.reason for row in dirty.refused[feed] if row.file in LABELLED}
    assert found == expected


@pytest.mark.parametrize("feed", FEEDS)
def test_every_good_row_is_kept_and_no_bad_one(dirty, feed):
    from_feed = {id_ for id_, row in dirty.events.items() if row.source == feed and id_.startswith(("good", "bad"))}
    assert from_feed == dirty.labels[feed].good


@pytest.mark.parametrize("feed", [feed for feed in FEEDS if feed != "parquet_feed"])
def test_the_hash_is_that_of_the_bytes_at_the_position(dirty, feed):
    """The label was taken from the file as it was written."""
    expected = {place: digest for place, (_, digest) in dirty.labels[feed].bad.items()}
    assert {(r.file, r.position): r.payload_hash for r in dirty.refused[feed] if r.file in LABELLED} == expected
    assert {row.position_kind for row in dirty.refused[feed]} == {"byte"}


def test_the_position_leads_to_the_row_of_a_parquet_file(dirty):
    import polars as pl

    [file] = dirty.context.conf.parent.glob("in/parquet_feed/labelled.parquet")
    ids = pl.read_parquet(file)["id"].to_list()
    rows = [row for row in dirty.refused["parquet_feed"] if row.file == "labelled.parquet"]
    small = [row for row in rows if row.reason != "size"]
    assert [id_in(row.payload) for row in small] == [ids[row.position] for row in small]
    assert all(hashlib.sha256(row.payload.encode()).hexdigest() == row.payload_hash for row in small)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert {(row.position_kind, row.file_hash) for row in rows} == {("row", digest)}


def test_large_rows_are_cut_and_still_known_by_their_hash(dirty):
    cut = [
        row for rows in dirty.refused.values() for row in rows if row.reason == "size" and len(row.payload) >= 65_536
    ]
    assert cut
    assert all(hashlib.sha256(row.payload.encode()).hexdigest() != row.payload_hash for row in cut)
