"""Which cells explain the change of a metric between two windows: contributions that add up to the change exactly.

A metric that adds up over cells (a count, or one over the days of the window): the change of each cell.

A ratio R = N / D with sums N and D over cells: w = d / D, the cell's share of the denominator, r = n / d, its rate,
mean(x) = (x_a + x_b) / 2. The change of R falls apart as in Kitagawa, "Components of a difference between two rates",
Journal of the American Statistical Association 50 (1955) 1168-1194:

    rate effect  mean(w) * (r_b - r_a)                 the cell does better or worse
    mix effect   (mean(r) - mean(R)) * (w_b - w_a)     the cell, above or below average, grows or shrinks

Both together are (n_b / D_b - n_a / D_a) - mean(R) * (w_b - w_a), which needs no rate of the cell: that is how a cell
without a denominator in one of the windows is counted (w = 0 there), all of it as mix. The shares w add up to 1 in both
windows, so the terms with mean(R) cancel and the contributions add up to R_b - R_a. Constants (`- 1`) do not matter:
they are in N as a multiple of D.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal as OneOf, NamedTuple

from visitgrain.catalogue.formulas import Fraction, is_linear, leaves
from visitgrain.errors import GateRefused
from visitgrain.metrics.slices import ATTRIBUTES

PARTITIONS = ATTRIBUTES  # slices whose cells partition the population: everybody is in one cell of each
HIDDEN, NO_VALUE = "hidden", "no value"
TOLERANCE = 1e-9
Kind = OneOf["sum", "ratio"]


class Numbers(NamedTuple):
    """A cell in one window: what population_metrics has of it."""

    value: float | None
    numerator: float | None
    denominator: float | None


class Contribution(NamedTuple):
    """What a cell adds to the change; of a ratio also how much of it is rate and how much mix."""

    slice_value: str
    change: float
    rate: float | None = None
    mix: float | None = None


Cells = Mapping[str, Numbers]
ABSENT = Numbers(None, None, None)


def kind_of_spread(parts: Fraction) -> Kind | None:
    """How the change is spread over cells; None where the formula is not linear in them."""
    if not is_linear(parts.numerator):
        return None
    if parts.denominator is None or not any(leaves(parts.denominator)):  # the same days for every cell
        return "sum"
    return "ratio" if is_linear(parts.denominator) else None


def relative_change(a: float | None, b: float | None) -> float | None:
    """|b - a| / |a|; None where one is missing or a is 0."""
    return None if a is None or b is None or a == 0 else abs(b - a) / abs(a)


def contributions(
    kind: Kind, total: tuple[Numbers, Numbers], cells: tuple[Cells, Cells], hidden: Collection[str] = ()
) -> list[Contribution]:
    """What each cell of a slice adds to the change of `total`, the largest first; `hidden` cells as one.

    Empty where the total has no value in one of the windows. Raises GateRefused when the cells do not add up to it.
    """
    if total[0].value is None or total[1].value is None:
        return []
    names = sorted({*cells[0], *cells[1]})
    if kind == "sum":
        found = [_of_sum(name, cells) for name in names]
    else:
        completed = _with_rest(total, cells)
        found = [_of_ratio(name, total, completed) for name in sorted({*completed[0], *completed[1]})]
    _check(total, found)
    hidden = {*hidden, NO_VALUE} if hidden else hidden  # a hidden cell may be one without a value
    shown = [one for one in found if one.slice_value not in hidden]
    kept_back = [one for one in found if one.slice_value in hidden]
    if kept_back:
        shown.append(Contribution(HIDDEN, sum(one.change for one in kept_back)))
    return sorted(shown, key=lambda one: (-abs(one.change), one.slice_value))


def _of_sum(name: str, cells: tuple[Cells, Cells]) -> Contribution:
    a, b = (side.get(name, ABSENT).value or 0.0 for side in cells)
    return Contribution(name, b - a)


def _of_ratio(name: str, total: tuple[Numbers, Numbers], cells: tuple[Cells, Cells]) -> Contribution:
    (top_a, share_a, rate_a), (top_b, share_b, rate_b) = (
        _in_window(side.get(name, ABSENT), whole) for side, whole in zip(cells, total, strict=True)
    )
    average = (_ratio(total[0]) + _ratio(total[1])) / 2
    change = (top_b - top_a) - average * (share_b - share_a)
    if rate_a is None or rate_b is None:
        return Contribution(name, change, 0.0, change)
    rate = (share_a + share_b) / 2 * (rate_b - rate_a)
    return Contribution(name, change, rate, ((rate_a + rate_b) / 2 - average) * (share_b - share_a))


def _in_window(cell: Numbers, total: Numbers) -> tuple[float, float, float | None]:
    """n / D, the share d / D, and the rate n / d where there is one."""
    above, below = cell.numerator or 0.0, cell.denominator or 0.0
    assert total.denominator
    return above / total.denominator, below / total.denominator, above / below if below else None


def _ratio(total: Numbers) -> float:
    assert total.numerator is not None
    assert total.denominator
    return total.numerator / total.denominator


def _with_rest(total: tuple[Numbers, Numbers], cells: tuple[Cells, Cells]) -> tuple[Cells, Cells]:
    """The cells, and as one more what cells without a value hold: their numerators are not in the table."""
    if all(cell.value is not None for side in cells for cell in side.values()):
        return cells
    first, second = (
        {**side, NO_VALUE: Numbers(None, _left(whole, side, "numerator"), _left(whole, side, "denominator"))}
        for side, whole in zip(cells, total, strict=True)
    )
    return first, second


def _left(total: Numbers, cells: Cells, part: str) -> float:
    """Total less the cells; 0 where that is only rounding."""
    whole = getattr(total, part)
    left = whole - sum(getattr(cell, part) or 0.0 for cell in cells.values())
    return float(left) if abs(left) > TOLERANCE * max(1.0, abs(whole)) else 0.0


def _check(total: tuple[Numbers, Numbers], found: list[Contribution]) -> None:
    """The residual: contributions less the change, within 1e-9 of the numbers' size."""
    a, b = total[0].value or 0.0, total[1].value or 0.0
    residual = sum(one.change for one in found) - (b - a)
    if abs(residual) > TOLERANCE * max(1.0, abs(a), abs(b), *(abs(one.change) for one in found)):
        raise GateRefused(
            f"the cells' contributions differ by {residual:g} from the change {a:g} -> {b:g}; the rows of one slice do "
            "not add up to `all`. Compute both windows again"
        )
