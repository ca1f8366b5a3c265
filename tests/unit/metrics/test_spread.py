"""What explains a change, with the arithmetic in view, and that it always adds up."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from visitgrain.catalogue.expression_tree import Literal, Name
from visitgrain.catalogue.formulas import Fraction, Leaf, Outer, WindowDays
from visitgrain.errors import GateRefused
from visitgrain.metrics.slices import ATTRIBUTES
from visitgrain.metrics.spread import (
    HIDDEN,
    NO_VALUE,
    PARTITIONS,
    Contribution,
    Numbers,
    contributions,
    kind_of_spread,
    relative_change,
)

VISITS, USERS = Leaf("sum", Name("visits")), Leaf("users", Name("active_days"))


def count(value: float) -> Numbers:
    return Numbers(value, value, None)


def ratio(above: float, below: float) -> Numbers:
    """As the table has it: without a denominator there is no value, and no numerator either."""
    return Numbers(above / below, above, below) if below else Numbers(None, None, None)


def changes(found: list[Contribution]) -> dict[str, float]:
    return {one.slice_value: one.change for one in found}


def test_the_slices_are_those_of_people():
    assert PARTITIONS == ATTRIBUTES


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (Fraction(USERS), "sum"),
        (Fraction(Outer("/", (VISITS, Literal(100)))), "sum"),
        (Fraction(VISITS, WindowDays()), "sum"),  # a mean per day adds up
        (Fraction(VISITS, USERS), "ratio"),
        (Fraction(VISITS, Outer("*", (WindowDays(), USERS))), "ratio"),
        (Fraction(Leaf("quantile", Name("load_ms_sketch"), 0, 0.95)), None),
        (Fraction(VISITS, Outer("*", (VISITS, USERS))), None),
    ],
)
def test_how_a_change_is_spread(parts, kind):
    assert kind_of_spread(parts) == kind


def test_relative_change_is_null_safe():
    assert relative_change(200.0, 150.0) == 0.25
    assert relative_change(-2.0, 1.0) == 1.5
    assert relative_change(0.0, 5.0) is relative_change(None, 5.0) is relative_change(5.0, None) is None


def test_a_count_changes_by_its_cells():
    before, after = {"A": count(100), "B": count(50)}, {"A": count(90), "C": count(100)}
    found = contributions("sum", (count(150), count(190)), (before, after))
    assert found == [Contribution("C", 100), Contribution("B", -50), Contribution("A", -10)]


def test_hidden_cells_come_as_one():
    before = {"A": count(100), "B": count(5), "C": count(20)}
    after = {"A": count(110), "B": count(30), "C": count(21)}
    found = contributions("sum", (count(125), count(161)), (before, after), {"B", "C"})
    assert changes(found) == {HIDDEN: 25 + 1, "A": 10}


def test_a_pure_change_of_rates():
    """Both cells keep half of the denominator; A goes from 10 % to 30 %: half of 20 points."""
    before = {"A": ratio(5, 50), "B": ratio(20, 50)}
    after = {"A": ratio(15, 50), "B": ratio(20, 50)}
    a, b = contributions("ratio", (ratio(25, 100), ratio(35, 100)), (before, after))
    assert (a.slice_value, b.slice_value) == ("A", "B")
    assert (a.change, a.rate, a.mix) == pytest.approx((0.5 * 0.2, 0.1, 0))
    assert (b.change, b.rate, b.mix) == pytest.approx((0, 0, 0))


def test_a_pure_change_of_mix():
    """A keeps 10 % and B 40 %, but B grows from half to three quarters. R: 25 % -> 32.5 %, its mean is 28.75 %."""
    before = {"A": ratio(5, 50), "B": ratio(20, 50)}
    after = {"A": ratio(2.5, 25), "B": ratio(30, 75)}
    found = contributions("ratio", (ratio(25, 100), ratio(32.5, 100)), (before, after))
    by = {one.slice_value: one for one in found}
    assert (by["A"].rate, by["A"].mix) == pytest.approx((0, (0.10 - 0.2875) * -0.25))
    assert (by["B"].rate, by["B"].mix) == pytest.approx((0, (0.40 - 0.2875) * 0.25))
    assert sum(changes(found).values()) == pytest.approx(0.075)


def test_a_cell_that_is_new_is_all_mix():
    """C brings 30 of 130 at 50 %: 15/130 - 23.6 % * 30/130 of the change 20 % -> 27 %."""
    before = {"A": ratio(20, 100)}
    after = {"A": ratio(20, 100), "C": ratio(15, 30)}
    found = contributions("ratio", (ratio(20, 100), ratio(35, 130)), (before, after))
    mean = (20 / 100 + 35 / 130) / 2
    assert changes(found)["C"] == pytest.approx(15 / 130 - mean * 30 / 130)
    assert sum(changes(found).values()) == pytest.approx(35 / 130 - 20 / 100)
    assert next(one for one in found if one.slice_value == "C").rate == 0


def test_a_constant_does_not_change_a_difference():
    """A growth `b / a - 1` is (b - a) / a: the same contributions as those of b / a."""
    plain = ({"A": ratio(12, 10), "B": ratio(30, 20)}, {"A": ratio(9, 10), "B": ratio(40, 20)})
    less = tuple({name: ratio(n.numerator - n.denominator, n.denominator) for name, n in s.items()} for s in plain)
    one = contributions("ratio", (ratio(42, 30), ratio(49, 30)), plain)
    other = contributions("ratio", (ratio(12, 30), ratio(19, 30)), less)
    assert changes(one) == pytest.approx(changes(other))


def test_numerators_of_cells_without_a_denominator_are_told_as_one():
    before = {"A": ratio(10, 100), "B": ratio(0, 0)}
    after = {"A": ratio(10, 100), "B": ratio(0, 0)}  # B has 5 in the numerator, which its row does not say
    found = contributions("ratio", (ratio(10, 100), ratio(15, 100)), (before, after))
    assert changes(found) == pytest.approx({"A": 0, "B": 0, NO_VALUE: 0.05})
    assert changes(contributions("ratio", (ratio(10, 100), ratio(15, 100)), (before, after), {"B"})) == pytest.approx(
        {"A": 0, HIDDEN: 0.05}
    )


def test_without_a_total_there_is_nothing_to_explain():
    assert contributions("ratio", (ratio(0, 0), ratio(1, 2)), ({}, {"A": ratio(1, 2)})) == []


@pytest.mark.parametrize("kind", ["sum", "ratio"])
def test_cells_that_do_not_add_up_are_refused(kind):
    cells = ({"A": ratio(10, 100)}, {"A": ratio(10, 100)})
    with pytest.raises(GateRefused, match="do not add up"):
        contributions(kind, (ratio(10, 100), ratio(20, 100)), cells)


AMOUNTS = st.one_of(st.just(0), st.integers(-1_000, 1_000_000))
COUNTS = st.one_of(st.just(0), st.integers(1, 1_000_000))


@given(st.dictionaries(st.sampled_from("ABCDEF"), st.tuples(AMOUNTS, COUNTS, AMOUNTS, COUNTS), min_size=1), st.data())
def test_contributions_add_up(table, data):
    """Whatever the cells are, also those that are in one of the windows alone."""
    sides, total = [], []
    for i in (0, 2):
        sides.append({c: ratio(v[i], v[i + 1]) for c, v in table.items() if v[i + 1] or data.draw(st.booleans())})
        # The numerators of cells that are not in the table are not in its total either.
        counted = [v for c, v in table.items() if c in sides[-1]]
        total.append(ratio(sum(v[i] for v in counted), sum(v[i + 1] for v in counted)))
    if None in (total[0].value, total[1].value):
        return
    hidden = data.draw(st.sets(st.sampled_from(sorted(table))))
    for left_out in (set(), hidden):
        found = contributions("ratio", tuple(total), tuple(sides), left_out)
        size = max(1.0, *(abs(one.change) for one in found), abs(total[0].value), abs(total[1].value))
        assert sum(one.change for one in found) == pytest.approx(total[1].value - total[0].value, abs=1e-9 * size)
        assert not left_out & {one.slice_value for one in found}
    assert all(one.rate + one.mix == pytest.approx(one.change, abs=1e-6) for one in found if one.rate is not None)
