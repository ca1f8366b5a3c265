"""A double as two whole numbers: what comes back is the sum of the fractions, whatever the order of the rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st

from visitgrain.arrow.exact import parts_of, whole_of

THOUSANDTHS = st.integers(-(10**6), 10**6)


@settings(deadline=None)
@given(
    st.lists(THOUSANDTHS, min_size=1, max_size=30).flatmap(
        lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn))
    )
)
def test_sums_are_the_same_to_the_last_bit_in_any_order(drawn: tuple[list[int], list[int]]) -> None:
    one, other = (whole_of(*(part.sum(keepdims=True) for part in parts_of(np.array(each) / 1000)))[0] for each in drawn)
    assert one == other
    assert abs(one - sum(drawn[0]) / 1000) < 1e-9


def test_a_sum_of_doubles_would_show_its_order() -> None:
    assert 0.1 + 0.2 != 0.3
    whole, fraction = parts_of(np.array([0.1, 0.2]))
    assert whole_of(whole.sum(keepdims=True), fraction.sum(keepdims=True))[0] == 0.3


def test_nothing_is_zero_and_less_than_zero_comes_back() -> None:
    whole, fraction = parts_of(np.array([np.nan, -0.25, -7.5, 2.0**40 + 0.5]))
    assert whole_of(whole, fraction).tolist() == [0.0, -0.25, -7.5, 2.0**40 + 0.5]
    assert (fraction >= 0).all()
