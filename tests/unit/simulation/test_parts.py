"""The same rows however a feed is cut, and the files of a part."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.simulation.worlds import feed_of, hashed_rows, tables_of
from visitgrain.simulation import files
from visitgrain.simulation.files import UNFINISHED, parts_writer, write_part

SPAN = {"start": date(2025, 2, 20), "end": date(2025, 3, 12)}  # two months, so twice as many parts as blocks
CIRCLE = 64  # the smallest block that leaves circles whole


@pytest.fixture(scope="module")
def one_block():
    """Rows of 100 subscribers in one block, as hashes."""
    return hashed_rows(tables_of(feed_of(100, **SPAN)))


@pytest.mark.parametrize("block", [CIRCLE, 2 * CIRCLE])
def test_same_rows_for_any_size_of_block(one_block, block):
    feed = feed_of(100, block=block, **SPAN)
    assert feed.parts == 2 * -(-100 // block)
    assert all(one_block.values())
    assert hashed_rows(tables_of(feed)) == one_block


@pytest.mark.parametrize("order", ["backwards", "shuffled"])
def test_same_rows_for_any_order_of_parts(one_block, order):
    feed = feed_of(100, block=CIRCLE, **SPAN)
    parts = [*range(feed.parts)][::-1]
    if order == "shuffled":
        Random(3).shuffle(parts)
    assert hashed_rows(tables_of(feed, parts)) == one_block


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


@pytest.fixture(scope="module")
def part_by_part(tmp_path_factory) -> dict[str, bytes]:
    feed, folder = feed_of(100, block=CIRCLE, **SPAN), tmp_path_factory.mktemp("parts")
    for number in range(feed.parts):
        write_part(feed, number, folder)
    return contents(folder)


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_same_files_for_any_partitioning(tmp_path, part_by_part, partitions):
    """`parts_writer` is what Spark calls, once per partition with batches of part numbers."""
    feed, written = feed_of(100, block=CIRCLE, **SPAN), 0
    for numbers in np.array_split(np.arange(feed.parts), partitions):
        batches = [pa.RecordBatch.from_pydict({"id": [number]}) for number in numbers.tolist()]
        written += sum(sum(counts["rows"].to_pylist()) for counts in parts_writer(feed, str(tmp_path))(iter(batches)))
    assert contents(tmp_path) == part_by_part
    assert [*(tmp_path / UNFINISHED).iterdir()] == []
    assert written == sum(pq.read_metadata(file).num_rows for file in tmp_path.rglob("*.parquet"))


def test_another_seed_is_another_world(one_block):
    other = hashed_rows(tables_of(feed_of(100, seed=8, **SPAN)))
    for table, rows in one_block.items():
        assert not set(rows) & set(other[table]), table


def test_subscribers_of_a_smaller_world_are_those_of_a_larger_one(one_block):
    larger = hashed_rows(tables_of(feed_of(201, **SPAN)))
    for table, rows in one_block.items():
        assert set(rows) < set(larger[table]), table


def test_a_longer_span_begins_as_a_shorter_one(one_block):
    """Nothing that was delivered changes when the feed goes on, but for who still holds a number or is still there."""
    longer = hashed_rows(tables_of(feed_of(100, start=SPAN["start"], end=date(2025, 3, 31))))
    for table in ("events", "true_events", "orders", "campaign_audiences", "campaign_exposures"):
        assert set(one_block[table]) <= set(longer[table]), table
    assert len(one_block["events"]) < len(longer["events"])


def test_a_write_that_fails_leaves_no_file_behind(tmp_path, monkeypatch):
    feed = feed_of(10, **SPAN)

    def fail(table: pa.Table, path, **options) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(files.pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        write_part(feed, 0, tmp_path)
    assert [*tmp_path.rglob("*.parquet")] == []
    assert len([*(tmp_path / UNFINISHED).iterdir()]) == 1
    monkeypatch.undo()
    rows = write_part(feed, 0, tmp_path)  # the task again
    [file] = (tmp_path / "subscriber_month").rglob("*.parquet")
    assert rows["subscriber_month"] == pq.read_metadata(file).num_rows > 0
