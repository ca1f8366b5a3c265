"""Sets of keys: all that were put in, whatever their type; what changed of a partition, by its files."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from visitgrain.arrow.changes import Changed, NearMidnight, Owners, Tie, slots_in
from visitgrain.arrow.keys import Keys, KeysByDay, power_for, slots_of
from visitgrain.arrow.rows import FilePart

POWER = 16


def keys_of(values: pa.Array, power: int = POWER) -> Keys:
    return Keys.at([slots_of(values, power)], power)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a", "b", "", None]),
        pa.array(["a", "b", "", None]).dictionary_encode(),
        pa.array([7, -1, 2**62, None]),
        pa.chunked_array([["a"], ["b", None]]),
    ],
)
def test_a_set_holds_what_was_put_in_and_never_a_null(values):
    held = keys_of(values).hold(values).to_pylist()
    assert held == [value is not None for value in values.to_pylist()]


def test_few_others_look_as_if_they_were_in_it():
    keys = keys_of(pa.array(range(10_000)), power_for(10_000))
    others = keys.hold(pa.array(range(10_000, 110_000))).to_numpy(zero_copy_only=False)
    assert 0.05 < others.mean() < 0.10  # a slot in 8 is filled, or less: 2**17 slots, 10,000 keys = 7.4 %


def test_sets_are_united_and_cut():
    one, other = keys_of(pa.array(["a"])), keys_of(pa.array(["b"]))
    assert (one | other).hold(pa.array(["a", "b", "c"])).to_pylist() == [True, True, False]
    assert ((one | other) & other).hold(pa.array(["a", "b", "c"])).to_pylist() == [False, True, False]
    assert Keys.at((), POWER).is_empty
    assert not one.is_empty


def test_slots_are_bounded():
    assert (power_for(0), power_for(10**6), power_for(10**9)) == (16, 23, 28)


@pytest.fixture
def part(tmp_path):
    def written(*rows: tuple[str, int, str]) -> FilePart:
        number = len(list(tmp_path.iterdir()))
        path = tmp_path / f"{number}.parquet"
        device, subscriber, page = (list(column) for column in zip(*rows, strict=True))
        pq.write_table(pa.table({"device": device, "subscriber": subscriber, "page": page}), path)
        return FilePart(number, str(path), None, 0, 1, len(rows), 0)

    return written


def changed(came: list[FilePart], went: list[FilePart], columns: tuple[str, ...] = ("device", "page")) -> list[bool]:
    unit = Changed("device", columns, tuple(came), tuple(went))
    return Keys.at(unit.slots(POWER), POWER).hold(pa.array(["a", "b", "c"])).to_pylist()


def test_a_row_that_came_as_it_went_did_not_change(part):
    before = part(("a", 1, "x"), ("b", 2, "x"))
    after = [part(("b", 2, "x")), part(("a", 1, "y"), ("c", 3, "x"))]
    assert changed(after, [before]) == [True, False, True]
    assert changed([before], []) == [True, True, False]
    assert changed([], [before]) == [True, True, False]
    assert changed([part(("b", 2, "x"), ("a", 1, "x"))], [before]) == [False, False, False]  # in another order


def test_rows_that_occur_twice_are_counted(part):
    assert changed([part(("a", 1, "x"))], [part(("a", 1, "x"), ("a", 1, "x"))]) == [True, False, False]


def test_columns_that_nobody_looks_at_do_not_matter(part):
    before, after = part(("a", 1, "x"), ("b", 2, "x")), part(("a", 1, "y"), ("b", 3, "x"))
    assert changed([after], [before], ("device",)) == [False, False, False]
    assert changed([after], [before], ("device", "subscriber")) == [False, True, False]


def test_owners_are_the_keys_of_rows_with_another_key(part):
    rows = part(("a", 1, "x"), ("b", 2, "x"), ("c", 1, "x"))
    of_one = Owners("device", (Tie("subscriber", keys_of(pa.array([1]))),), rows)
    assert Keys.at(of_one.slots(POWER), POWER).hold(pa.array(["a", "b", "c"])).to_pylist() == [True, False, True]


def test_rows_whose_value_is_final_have_no_owners_any_more(tmp_path):
    path = tmp_path / "rows.parquet"
    at = pa.array([None, 9, 10], pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"device": ["a", "b", "c"], "claimed": at}), path)
    tie = Tie("device", keys_of(pa.array(["a", "b", "c"])), final="claimed", since=10)
    found = Owners("device", (tie,), FilePart(0, str(path), None, 0, 1, 3, 0))
    assert Keys.at(found.slots(POWER), POWER).hold(pa.array(["a", "b", "c"])).to_pylist() == [True, False, True]


def test_keys_near_midnight(tmp_path):
    path = tmp_path / "rows.parquet"
    at = pa.array([10, 11, 19, 20], pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"device": list("abcd"), "at": at}), path)
    found = NearMidnight("device", "at", FilePart(0, str(path), None, 0, 1, 4, 0), until=10, since=20)
    assert Keys.at(found.slots(POWER), POWER).hold(pa.array(list("abcd"))).to_pylist() == [True, False, False, True]


def test_keys_by_day():
    one, other = date(2026, 3, 1), date(2026, 3, 2)
    keys = KeysByDay.of({one: keys_of(pa.array(["a", "b"])), other: Keys.at((), POWER)}, POWER)
    values = pa.array(["a", "c", None])
    assert keys.hold(values, one).to_pylist() == [True, False, False]
    assert keys.hold(values, other).to_pylist() == keys.hold(values, None).to_pylist() == [False, False, False]
    assert keys.ever.hold(values).to_pylist() == [True, False, False]
    assert (keys.count(one), keys.count(other), set(keys.of_day)) == (2, 0, {one})


def test_workers_tell_the_slots_of_their_units(part):
    units = [Changed("device", ("device",), (part((name, 1, "x")),), ()) for name in "abc"]
    told = slots_in(iter([pa.RecordBatch.from_pydict({"id": [0, 2]})]), units=units, power=POWER)
    found = {row["unit"]: np.frombuffer(row["slots"], np.uint32) for batch in told for row in batch.to_pylist()}
    assert sorted(found) == [0, 2]
    held = {number: Keys.at([slots], POWER).hold(pa.array(list("abc"))).to_pylist() for number, slots in found.items()}
    assert held == {0: [True, False, False], 2: [False, False, True]}
