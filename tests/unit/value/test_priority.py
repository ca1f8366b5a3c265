"""Risk times value, levels and matrices, with ties and what is not known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from visitgrain.value.priority import CutPoints, care, cut_points, ranks, value_and_stability, value_at_risk

NAN = float("nan")


def test_value_at_risk_is_what_is_expected_to_be_lost():
    assert value_at_risk([0.5, 0.1, 0.0], [300, 900, 500]).tolist() == [150, 90, 0]
    assert np.isnan(value_at_risk([NAN, 0.5], [300, NAN])).all()
    with pytest.raises(ValueError, match="outside 0-1"):
        value_at_risk([1.2], [1])


def test_ranks_do_not_depend_on_the_order_of_rows():
    priority, identifiers = np.array([5.0, 9.0, NAN, 5.0]), np.array([40, 30, 10, 20])
    assert ranks(priority, identifiers).tolist() == [3, 1, 4, 2]  # 20 and 40 tie: the smaller first
    assert ranks(priority[::-1], identifiers[::-1]).tolist() == [2, 4, 1, 3]


@pytest.mark.parametrize(
    ("values", "levels", "points"),
    [
        ([1, 2, 3, 4, 5, 6], 2, (4,)),
        ([1, 2, 3, 4, 5, 6], 3, (3, 5)),
        ([6, NAN, 5, 4, 3, 2, 1, NAN], 3, (3, 5)),  # unknown ones count for nothing
        ([0, 0, 0, 0, 7, 9], 2, (7,)),  # ties stay together below
        ([0, 0, 0, 0, 0, 9], 3, (9, None)),  # one point uses up the values
        ([4, 4, 4], 2, (None,)),  # all the same: all low
        ([], 3, (None, None)),
    ],
    ids=str,
)
def test_cut_points_by_hand(values, levels, points):
    assert cut_points(values, levels, "2026-03") == CutPoints("2026-03", points)


def test_frozen_cut_points_judge_other_months():
    march = CutPoints.from_dict(json.loads(json.dumps(CutPoints("2026-03", (10.0, 20.0)).to_dict())))
    assert march.levels([-5, 10, 19.9, 20, 1e9, NAN]).tolist() == [1, 2, 2, 3, 3, 0]
    assert CutPoints("2026-03", (10.0, None)).levels([5, 10, 1e9]).tolist() == [1, 2, 2]


def test_counted_values_have_the_same_cut_points():
    assert cut_points([1, 2, 3], 2, "m", weights=[5, 1, 1]) == cut_points([1] * 5 + [2, 3], 2, "m")


def test_one_level_needs_no_points():
    with pytest.raises(ValueError, match="ask for 2 or more"):
        cut_points([1, 2], 1, "2026-03")


@given(st.lists(st.integers(0, 20), min_size=1), st.integers(2, 5))
def test_levels_rise_with_the_value_and_take_their_share_at_least_below(values, levels):
    found = cut_points(values, levels, "m").levels(values)
    pairs = sorted(zip(values, found.tolist(), strict=True))
    assert [level for _, level in pairs] == sorted(level for _, level in pairs)
    assert len({(value, level) for value, level in pairs}) == len(set(values))  # equal values, equal level
    assert (found == 1).any()
    for level in range(1, levels):
        assert (found <= level).sum() * levels >= level * len(values)


def test_the_four_cells():
    low, high = 1, 2
    assert care([high, high, low, low, 0, high], [high, low, high, low, high, 0]).tolist() == [
        "rescue",
        "keep",
        "remind",
        "leave",
        "unknown",
        "unknown",
    ]


def test_the_nine_cells():
    value, stability = np.divmod(np.arange(16), 4)
    cells = value_and_stability(value, stability)
    assert len(set(cells.tolist())) == 10  # nine and unknown
    assert cells[4 * 3 + 1] == "high value, low stability"
    assert (cells[(value == 0) | (stability == 0)] == "unknown").all()
    with pytest.raises(ValueError, match="levels are 0"):
        value_and_stability([4], [1])
