"""Drift of inputs: by hand, and what usually goes wrong with deciles: constants, many zeros, missing values."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from visitgrain.churn.drift import ALERT, Reference, psi, psi_of_features, reference, references

HUNDRED = np.arange(100.0)


def test_psi_by_hand():
    """The current rows are the lower half: .2 in each of five bins that had .1; five empty ones count half a row."""
    empty = 0.5 / 50
    expected = 5 * (0.2 - 0.1) * math.log(2) + 5 * (empty - 0.1) * math.log(empty / 0.1)
    assert psi(HUNDRED, HUNDRED[:50]) == pytest.approx(expected)


def test_ten_rows_a_decile():
    assert reference(HUNDRED).counts == (10,) * 10 + (0,)


def test_a_shift_of_one_sd_alerts_and_another_sample_does_not():
    random = np.random.default_rng(0)
    before = random.normal(size=5000)
    assert psi(before, random.normal(size=5000)) < 0.01
    assert psi(before, random.normal(1, 1, size=5000)) > ALERT


def test_missing_values_are_a_bin():
    some = np.where(HUNDRED % 5 == 0, np.nan, HUNDRED)  # 0 -> 20 %, the rest as before
    assert psi(HUNDRED, some) > ALERT
    assert psi(some, some) == 0
    # nothing but missing: .2 (of 100) against all
    assert psi(some, np.full(10, np.nan)) > 1


@pytest.mark.parametrize("now", [4.0, 6.0])
def test_a_constant_that_changes_either_way_is_drift(now):
    before = np.full(100, 5.0)
    assert psi(before, np.full(80, 5.0)) == 0
    assert psi(before, np.full(80, now)) > 1


def test_a_frequent_value_has_its_own_bin():
    """45 % zeros: zeros that become ones must not hide in the same decile."""
    before = np.concatenate([np.zeros(45), np.arange(1, 56)])
    after = np.where(before == 0, 1.0, before)
    assert psi(before, after) > 1


def test_infinite_values_are_values():
    assert psi(np.append(HUNDRED, np.inf), np.append(HUNDRED, np.inf)) == 0


@given(st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0])), min_size=1))
def test_no_drift_against_itself_and_none_below_zero(values):
    assert psi(values, values) == 0
    assert psi(values, [0.0, 0.5, np.nan]) >= 0
    assert sum(reference(values).counts) == len(values)


def test_a_reference_survives_json():
    ref = reference(np.where(HUNDRED < 30, 0.1, HUNDRED / 3))
    again = Reference.from_dict(json.loads(json.dumps(ref.to_dict())))
    assert again == ref
    assert psi(again, HUNDRED) == psi(ref, HUNDRED)


def test_features_by_name_the_most_drifted_first():
    before = references({"a": HUNDRED, "b": HUNDRED})
    assert list(psi_of_features(before, {"a": HUNDRED, "b": HUNDRED + 50})) == ["b", "a"]
    with pytest.raises(ValueError, match=r"missing \['b'\], not known \['c'\]"):
        psi_of_features(before, {"a": HUNDRED, "c": HUNDRED})


def test_no_rows_are_no_drift_but_an_error():
    with pytest.raises(ValueError, match="found 100 before and 0 now"):
        psi(HUNDRED, [])
