"""Whose rows they are, by hand: no Spark."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from visitgrain.runtime.people import Held, People
from visitgrain.tables import TABLES

ME, MY_NUMBER, OTHER = 7_000_000_000_000_000_001, 7_000_000_000_000_000_002, 7_000_000_000_000_000_003
HELD = (Held(ME), Held(MY_NUMBER, date(2026, 3, 1), date(2026, 3, 5)))
PEOPLE = People(HELD, frozenset({"my_phone"}))
EVENTS, PREFERENCES = TABLES["events"], TABLES["time_preferences"]


def events(*rows: tuple) -> pa.Table:
    ids, devices, props = zip(*rows, strict=True)
    maps = pa.array([None if p is None else list(p.items()) for p in props], pa.map_(pa.string(), pa.string()))
    return pa.table({"subscriber_id": pa.array(ids, pa.int64()), "device_id": list(devices), "props": maps})


@pytest.mark.parametrize(
    ("day", "mine"),
    [
        (date(2026, 2, 28), [True, False, False, True, False]),  # not yet my number
        (date(2026, 3, 1), [True, True, False, True, False]),
        (date(2026, 3, 4), [True, True, False, True, False]),
        (date(2026, 3, 5), [True, False, False, True, False]),  # somebody else's
    ],
)
def test_a_number_is_mine_while_i_hold_it(day, mine):
    rows = events(
        (ME, "x", None), (MY_NUMBER, "x", None), (OTHER, "x", None), (None, "my_phone", None), (None, "x", {})
    )
    assert PEOPLE.mask(rows, EVENTS, day).to_pylist() == mine


def test_my_name_leaves_the_maps_of_others():
    rows = events((OTHER, "x", {"sharer_id": str(ME), "kind": "link"}), (OTHER, "x", {"sharer_id": str(OTHER)}))
    assert PEOPLE.count(rows, EVENTS, date(2026, 3, 1)) == 1
    kept = PEOPLE.others(rows, EVENTS, date(2026, 3, 1))
    assert [dict(p) for p in kept["props"].to_pylist()] == [{"kind": "link"}, {"sharer_id": str(OTHER)}]


def test_an_owner_is_me_where_owners_are_subscribers():
    rows = pa.table({"owner_id": [ME, ME, OTHER], "owner_type": ["subscriber", "behaviour", "subscriber"]})
    assert PEOPLE.mask(rows, PREFERENCES, date(2026, 3, 1)).to_pylist() == [True, False, False]


def test_a_refused_row_that_names_me():
    payload = [f'{{"subscriber_id":{ME}}}', f'{{"subscriber_id":{ME}9}}', "my_phone,x", "my_phone_2,x", None]
    rows = pa.table({"payload": pa.array(payload, pa.string())})
    mask = PEOPLE.mask(rows, TABLES["quarantined_events"], None)
    assert mask.to_pylist() == [True, False, True, False, False]


def test_months_in_which_a_number_changed_hands_are_mine():
    """A month is one row: it goes when any of its days was mine."""
    rows = pa.table({"subscriber_id": pa.array([MY_NUMBER], pa.int64())})
    months = [date(2026, month, 1) for month in (2, 3, 4)]
    found = [PEOPLE.mask(rows, TABLES["subscriber_month"], month).to_pylist() for month in months]
    assert found == [[False], [True], [False]]
