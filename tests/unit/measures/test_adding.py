"""Rows of a source added up per subscriber and day: by hand, and the same however they are cut."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, strategies as st

from visitgrain.measures.adding import added, day_rows
from visitgrain.measures.compiling import Part
from visitgrain.measures.subjects import Spread

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
PARTS = (
    Part("clicks", "sum", "clicked"),
    Part("fen", "sum", "paid", "amount"),
    Part("gaps", "sum", "paid", "gap"),
    Part("active", "any", "clicked"),
    Part("by_hour__9", "sum", "clicked", None, "hour", 1),
    Part("by_hour__10", "sum", "clicked", None, "hour", 2),
    Part("first", "least", "paid", "at"),
    Part("sketch", "sketch", "clicked", "bucket"),
    Part("sketch__n", "sum", "clicked"),
    Part("never", "sum", "no"),
)
KINDS = {"gaps": "double", "active": "int", "sketch": "map<int,bigint>"}
COLUMNS = [(part.column, KINDS.get(part.column, "bigint")) for part in PARTS]
HOWS = {part.column: part.how for part in PARTS}
SCHEMA = pa.schema(
    [
        *(("subscriber_id", pa.int64()), ("day", pa.date32()), ("channel", pa.string()), ("os", pa.string())),
        *(("clicked", pa.bool_()), ("paid", pa.bool_()), ("no", pa.bool_())),
        *(("amount", pa.int64()), ("gap", pa.float64()), ("hour", pa.int32()), ("at", pa.int64())),
        ("bucket", pa.int32()),
    ]
)
ROWS = [
    # subscriber, day, channel, os, clicked, paid, no, amount, gap, hour, at, bucket
    (7, MONDAY, "app", "ios", True, True, False, 500, 0.1, 1, 90, 3),
    (7, MONDAY, "app", None, True, True, None, 250, 0.2, 2, 40, 3),
    (7, MONDAY, "web", "ios", True, None, None, None, None, None, None, 0),
    (7, TUESDAY, None, None, None, True, None, None, 0.7, 1, None, None),  # paid without amount or time
    (None, MONDAY, "web", "ios", True, False, None, 9, 9.0, 1, 1, 5),
    (3, MONDAY, None, None, False, False, False, 1, 1.0, 1, 1, 1),  # nothing counts, but the day is there
]


def batch(rows: list[tuple[object, ...]]) -> pa.RecordBatch:
    arrays = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(SCHEMA)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def measured(*cuts: list[tuple[object, ...]], slices: tuple[str, ...] | None = None, shares: int = 1) -> pa.Table:
    """As the job does it: sums of each cut, sent to buckets, brought together there; in the order of buckets."""
    spread = Spread(MONDAY, 2, shares)
    sent = [sums for cut in cuts for sums in added([batch(cut)], parts=PARTS, slices=slices, spread=spread)]
    tables = []
    for bucket in range(spread.buckets):
        of_bucket = [sums.filter(pc.equal(sums["bucket"], bucket)) for sums in sent]
        tables += day_rows(of_bucket, hows=HOWS, columns=COLUMNS, sliced=slices is not None)
    return pa.concat_tables(tables)


def by_key(table: pa.Table, *names: str) -> dict[tuple[object, ...], dict[str, object]]:
    found = {tuple(row[name] for name in names): row for row in table.to_pylist()}
    assert len(found) == len(table), "a key is there twice"
    return found


def test_sums_of_a_subscriber_and_day() -> None:
    found = by_key(measured(ROWS), "subscriber_id", "day")
    assert found.keys() == {(None, MONDAY), (3, MONDAY), (7, MONDAY), (7, TUESDAY)}
    row = found[7, MONDAY]
    assert (row["clicks"], row["fen"], row["active"]) == (3, 500 + 250, 1)
    assert row["gaps"] == pytest.approx(0.1 + 0.2, abs=1e-12)
    assert (row["by_hour__9"], row["by_hour__10"], row["first"]) == (1, 1, 40)
    assert (row["sketch"], row["sketch__n"], row["never"]) == ([(0, 1), (3, 2)], 3, 0)


def test_a_row_without_a_value_gives_nothing() -> None:
    row = by_key(measured(ROWS), "subscriber_id", "day")[7, TUESDAY]
    assert (row["fen"], row["gaps"], row["first"], row["sketch"], row["clicks"]) == (0, 0.7, None, None, 0)


def test_slices_count_a_row_once_for_each_of_its_values() -> None:
    found = by_key(measured(ROWS, slices=("channel", "os")), "subscriber_id", "day", "slice", "slice_value")
    clicks = {key[2:]: row["clicks"] for key, row in found.items() if key[:2] == (7, MONDAY)}
    assert clicks == {("channel", "app"): 2, ("channel", "web"): 1, ("os", "ios"): 2}
    assert (None, MONDAY, "os", "ios") in found
    assert not [key for key in found if key[0] == 3], "it has no value of any slice"
    assert found[7, MONDAY, "os", "ios"]["sketch"] == [(0, 1), (3, 1)]


def test_no_rows_give_a_table_without_rows() -> None:
    found = measured()
    assert found.num_rows == 0
    assert [name for name, _ in COLUMNS] == found.column_names[2:]


def test_rows_account_for_what_is_named() -> None:
    sums = list(added([batch(ROWS)], parts=PARTS, slices=None, spread=Spread(MONDAY, 2, 1)))
    (found,) = day_rows(sums, hows=HOWS, columns=COLUMNS, accounts=("clicks", "fen"))
    assert found["_rows"].to_pylist() == [1 + 0, 0, 3 + 750, 0]


@given(st.lists(st.integers(0, 2), min_size=len(ROWS), max_size=len(ROWS)), st.integers(1, 3), st.booleans())
def test_the_same_however_rows_are_cut_and_spread(cut_of: list[int], shares: int, sliced: bool) -> None:
    cuts = [[row for row, own in zip(ROWS, cut_of, strict=True) if own == cut] for cut in (0, 1, 2)]
    slices = ("channel", "os") if sliced else None
    names = ("subscriber_id", "day", *(("slice", "slice_value") if sliced else ()))
    found = measured(*filter(None, cuts), slices=slices, shares=shares)
    assert by_key(found, *names) == by_key(measured(ROWS, slices=slices), *names)


def test_sums_hold_more_than_their_rows_take() -> None:
    many = [(1, MONDAY, None, None, True, True, None, 2**40, 0.5, None, None, None)] * 300
    found = measured(many, many)
    assert found["fen"].to_pylist() == [600 * 2**40]
    assert found["clicks"].to_pylist() == [600]
    assert np.isclose(found["gaps"].to_pylist()[0], 300.0)
