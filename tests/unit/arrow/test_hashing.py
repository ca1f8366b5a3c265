"""Hashes of rows: the same for any batch, other for any other value."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from visitgrain.arrow.hashing import hash_rows, hash_values

DAY = pa.struct([("day", pa.date32()), ("events", pa.int32())])
INSTANT = pa.timestamp("us", tz="UTC")
MAP = pa.map_(pa.string(), pa.float64())
# Per type: values that must all hash apart. `None` and what it could be mistaken for stand side by side.
DISTINCT = {
    "text": (
        pa.string(),
        [None, "", "a", "aa", "ab", "ba", "\0", "\0\0", "中国移动", "8 bytes.", "8 bytes.\0", "9 bytes.."],
    ),
    "ids": (pa.string(), ["0123456789ab", "ba9876543210", "0123456789ac"]),
    "whole": (pa.int32(), [None, 0, 1, -1, 2**31 - 1]),
    "long": (pa.int64(), [None, 0, 1, 2**62, -(2**63)]),
    "double": (pa.float64(), [None, 0.0, 1.0, -1.0, 1e-300]),
    "yes or no": (pa.bool_(), [None, False, True]),
    "day": (pa.date32(), [None, date(1970, 1, 1), date(2026, 3, 1)]),
    "instant": (
        pa.timestamp("us", tz="UTC"),
        [None, datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)],
    ),
    "list": (pa.list_(pa.string()), [None, [], [""], ["a"], ["a", "b"], ["b", "a"], ["ab"], [None]]),
    "struct": (pa.list_(DAY), [[], [{"day": None, "events": 1}], [{"day": date(2026, 3, 1), "events": 1}]]),
    "map": (MAP, [None, [], [("a", 1.0)], [("b", 1.0)], [("a", 1.0), ("b", 2.0)], [("a", 2.0), ("b", 1.0)]]),
}


@pytest.mark.parametrize("name", DISTINCT)
def test_other_values_have_other_hashes_and_batches_do_not_matter(name):
    type_, values = DISTINCT[name]
    table = pa.table({"x": pa.array(values, type_)})
    hashes = hash_rows(table)
    assert len(set(hashes.tolist())) == len(values)
    apart = [hash_rows(table.slice(row, 1))[0] for row in range(len(values))]
    assert apart == hashes.tolist()
    assert hash_rows(pa.concat_tables([table.slice(1), table.slice(0, 1)])).tolist() == [*hashes[1:], hashes[0]]


def test_hashes_are_the_same_on_every_machine():
    """Stored ids and content hashes depend on these: a change of one is a change of every visit_id."""
    table = pa.table({"device": ["phone"], "start": pa.array([1], pa.int64())})
    assert hash_rows(table).tolist() == [9244736835763298765]


def test_both_zeros_are_one_number():
    assert len(set(hash_rows(pa.table({"x": [0.0, -0.0]})).tolist())) == 1


def test_order_counts_among_columns_but_not_in_a_map():
    assert hash_rows(pa.table({"a": [1], "b": [2]}))[0] != hash_rows(pa.table({"a": [2], "b": [1]}))[0]
    maps = pa.array([[("a", 1.0), ("b", 2.0)], [("b", 2.0), ("a", 1.0)]], MAP)
    assert len(set(hash_rows(pa.table({"m": maps})).tolist())) == 1


def test_a_dictionary_hashes_like_its_texts():
    texts = pa.chunked_array([["a", None, "b"], ["b", "c"]])
    coded = pa.table({"x": texts.dictionary_encode()}).unify_dictionaries()
    assert hash_rows(coded).tolist() == hash_rows(pa.table({"x": texts})).tolist()
    assert hash_values(coded["x"]).tolist() == hash_values(texts).tolist()
    assert np.unique(hash_values(texts)).size == 4


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=5)), min_size=1, max_size=30))
def test_equal_rows_and_only_they_share_a_hash(rows):
    hashes = hash_rows(pa.table({"n": pa.array([n for n, _ in rows], pa.int64()), "t": [t for _, t in rows]}))
    assert len(set(hashes.tolist())) == len(set(rows))


def test_no_rows():
    assert hash_rows(pa.table({"x": pa.array([], pa.string())})).tolist() == []
