"""Rows packed into buckets and back, and values of maps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from visitgrain.arrow.maps import numbers_by_key
from visitgrain.arrow.shuffle import gathered, packed, tables_in, unpacked


def rows(*keys: int) -> pa.Table:
    names = pa.array([f"page {key % 2}" for key in keys]).dictionary_encode()
    return pa.table({"key": pa.array(keys, pa.int64()), "page": names})


def test_each_row_comes_out_once_in_the_bucket_of_its_key():
    tables = [rows(5, 3, -1, 8), rows(3), rows()]
    batches = list(packed(tables, key="key", buckets=3))
    by_bucket: dict[int, list[pa.RecordBatch]] = {}
    for batch in batches:
        for place, bucket in enumerate(batch["bucket"].to_pylist()):
            by_bucket.setdefault(bucket, []).append(batch.slice(place, 1))
    # -1 is 2**64 - 1, which 3 divides
    expected = {0: [3, -1, 3], 2: [5, 8]}
    assert {bucket: unpacked(found)["key"].to_pylist() for bucket, found in by_bucket.items()} == expected
    assert unpacked(by_bucket[2])["page"].to_pylist() == ["page 1", "page 0"]


def test_texts_that_hardly_repeat_are_not_sent_to_every_bucket():
    """A dictionary goes into each bucket whole: 1,000 different pages in 50 buckets would be 50,000 texts."""
    pages = [f"/shop/article/{number:032d}" for number in range(1000)]
    table = pa.table({"key": pa.array(range(1000), pa.int64()), "page": pa.array(pages).dictionary_encode()})
    few = rows(*range(7))
    batches = list(packed([table, few], key="key", buckets=50))
    assert sum(batch.nbytes for batch in batches) < 10 * sum(map(len, pages))
    found = unpacked(batches)  # plain texts and dictionaries side by side
    assert sorted(found["page"].to_pylist()) == sorted([*pages, *few["page"].to_pylist()])


def test_what_is_said_of_a_table_comes_with_its_rows():
    told = [rows(1, 2).replace_schema_metadata({"of": "few"}), rows(7).replace_schema_metadata({"of": "one"})]
    found = tables_in(packed(told, key="key", buckets=50))  # of the one row the dictionary is too long
    assert [table.schema.metadata[b"of"] for table in found] == [b"few", b"few", b"one"]


def test_nothing_unpacks_to_nothing():
    assert unpacked([]) is None


def test_tables_are_gathered_up_to_a_size():
    sizes = [table.num_rows for table in gathered([rows(1, 2), rows(3), rows(4), rows(5)], rows=3)]
    assert sizes == [3, 2]


@pytest.mark.parametrize("start", [0, 1])
def test_numbers_by_key(start):
    maps = pa.array([[("a", 1.5), ("b", 2.0)], None, [], [("b", 4.0), ("a", None)]], pa.map_(pa.string(), pa.float64()))
    found = numbers_by_key(pa.chunked_array([maps.slice(start)]), ["a", "b", "never"])
    expected = {"a": [1.5, 0, 0, 0], "b": [2.0, 0, 0, 4.0], "never": [0, 0, 0, 0]}
    assert {name: values.tolist() for name, values in found.items()} == {n: v[start:] for n, v in expected.items()}


def test_numbers_of_no_maps():
    empty = pa.chunked_array([], pa.map_(pa.string(), pa.float64()))
    assert {name: values.size for name, values in numbers_by_key(empty, ["a"]).items()} == {"a": 0}
    assert np.issubdtype(numbers_by_key(empty, ["a"])["a"].dtype, np.floating)
