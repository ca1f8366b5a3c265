"""Sets of keys: all that were put in, whatever their type; what changed of a partition, by its files."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from visitgrain.arrow.changes import Changed, Owners, slots_in
from visitgrain.arrow.keys import Keys, power_for, slots_of
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
    assert 0.02 < others.mean() < 0.07  # a slot in 16 is filled, or less: 2**18 slots, 10,000 keys = 3.8 %


def test_sets_are_united():
    one, other = keys_of(pa.array(["a"])), keys_of(pa.array(["b"]))
    assert (one | other).hold(pa.array(["a", "b", "c"])).to_pylist() == [True, True, False]
    assert Keys.at((), POWER).is_empty
    assert not one.is_empty


def test_slots_are_bounded():
    assert (power_for(0), power_for(10**6), power_for(10**9)) == (16, 24, 28)


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
    of_one = Owners("device", "subscriber", keys_of(pa.array([1])), rows)
    assert Keys.at(of_one.slots(POWER), POWER).hold(pa.array(["a", "b", "c"])).to_pylist() == [True, False, True]


def test_workers_tell_the_slots_of_their_units(part):
    units = [Changed("device", ("device",), (part((name, 1, "x")),), ()) for name in "abc"]
    told = slots_in(iter([pa.RecordBatch.from_pydict({"id": [0, 2]})]), units=units, power=POWER)
    [value] = [value for batch in told for value in batch["slots"].to_pylist()]
    found = Keys.at([np.frombuffer(value, np.uint32)], POWER)
    assert found.hold(pa.array(["a", "b", "c"])).to_pylist() == [True, False, True]
