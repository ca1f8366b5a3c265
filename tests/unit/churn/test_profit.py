"""Profit of a campaign: closed forms for scores that know all and nothing, all thresholds tried for any other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import beta

from visitgrain.churn.profit import ACCEPTANCE, MIDPOINTS, Amounts, empc, profit_curve

FREE = Amounts(value_fen=20_000, offer_fen=0, contact_fen=0)


def slow_empc(y: np.ndarray, p: np.ndarray, clv: float = 200, d: float = 10, f: float = 1) -> tuple[float, float]:
    """The formula as published, at every distinct threshold, in yuan."""
    thresholds = np.append(np.unique(p), np.inf)
    pi0 = y.mean()
    pi1 = 1 - pi0
    f0 = np.array([(p[y == 1] >= t).mean() for t in thresholds])
    f1 = np.array([(p[y == 0] >= t).mean() for t in thresholds])
    gamma = ((np.arange(MIDPOINTS) + 0.5) / MIDPOINTS)[:, None]
    delta, phi = d / clv, f / clv
    profit = clv * (gamma * (1 - delta) - phi) * pi0 * f0 - clv * (delta + phi) * pi1 * f1
    density = beta.pdf(gamma[:, 0], *ACCEPTANCE) / MIDPOINTS
    return density @ profit.max(axis=1), density @ (pi0 * f0 + pi1 * f1)[profit.argmax(axis=1)]


def test_who_knows_all_addresses_the_silent_only():
    """40 of 100 silent: .4 (E gamma x (200 - 10) - 1) yuan = .4 x (.3 x 190 - 1) = 22.4; acceptance < 1/190 is rare."""
    y = np.arange(100) < 40
    found = empc(y, y.astype(float))
    assert found.profit_fen == pytest.approx(2240, abs=0.01)
    assert found.share == pytest.approx(0.4, abs=1e-6)


def test_who_knows_nothing_addresses_all_or_nobody():
    """All are worth it where gamma x 190 x .4 > 1 x .4 + 11 x .6, gamma > 7 / 76; the integral by scipy."""
    y = np.arange(100) < 40
    found = empc(y, np.zeros(100))
    expected = beta.expect(lambda gamma: 76 * gamma - 7, ACCEPTANCE, lb=7 / 76)
    assert found.profit_fen == pytest.approx(100 * expected, rel=1e-5)
    assert found.share == pytest.approx(beta.sf(7 / 76, *ACCEPTANCE), abs=1e-3)


def test_what_costs_nothing_is_given_to_all():
    found = empc([1, 0, 0, 0], [0.9, 0.5, 0.4, 0.1], FREE)
    assert found.profit_fen == pytest.approx(0.3 * 20_000 / 4, rel=1e-5)


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 40))
    y = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda labels: 0 < sum(labels) < n))
    return np.array(y), np.array(draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))) / 10


@settings(deadline=None, max_examples=50)
@given(scored())
def test_all_thresholds_tried(rows):
    profit, share = slow_empc(*rows)
    found = empc(*rows)
    assert found.profit_fen / 100 == pytest.approx(profit, abs=1e-9)
    assert found.share == pytest.approx(share, abs=1e-3)  # a tie of two thresholds may fall either way at a midpoint


def test_curve_by_hand():
    """Mean acceptance .3. Half addressed: 1 of 4 silent: .25 (.3 x 19,000 - 100), 1 of 4 not: .25 x 1,100."""
    curve = profit_curve([1, 0, 1, 0], [0.9, 0.8, 0.5, 0.4], points=5)
    assert [point.share for point in curve] == [0, 0.25, 0.5, 0.75, 1]
    expected = [0, 1400, 1400 - 275, 2800 - 275, 2800 - 550]
    assert [point.profit_fen for point in curve] == pytest.approx(expected)


def test_amounts_are_checked():
    with pytest.raises(ValueError, match="value above 0"):
        Amounts(value_fen=0)
