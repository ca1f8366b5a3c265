"""Draws: even, independent of each other, and a matter of key, name and counter alone."""

from __future__ import annotations

from math import exp, factorial

import numpy as np
import pytest

from tests.unit.simulation.worlds import within
from visitgrain.simulation.chance import between, choose, choose_code, draw, keys_of, normal, poisson, uniform

N = 40_000
KEYS = keys_of(np.arange(N), 1)


def test_a_draw_depends_on_its_key_alone():
    alone = [draw(KEYS[n : n + 1], "a", 3)[0] for n in range(5)]
    assert draw(KEYS[:5], "a", 3).tolist() == alone
    assert draw(KEYS[4::-1], "a", 3).tolist() == alone[::-1]


def test_names_counters_and_seeds_make_other_draws():
    draws = [
        draw(KEYS, "a"),
        draw(KEYS, "b"),
        draw(KEYS, "a", 0),
        draw(KEYS, "a", 1),
        draw(keys_of(np.arange(N), 2), "a"),
    ]
    together = np.concatenate(draws)
    assert len(np.unique(together)) == len(together)


@pytest.mark.parametrize("other", [("b", None), ("a", 0), ("a", 1)], ids=str)
def test_draws_are_even_and_not_correlated(other):
    first, second = uniform(KEYS, "a"), uniform(KEYS, *other)
    counts = np.bincount((first * 10).astype(int), minlength=10)
    assert all(within(count / N, 0.1, N) for count in counts)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / N**0.5


def test_normal_has_mean_0_and_deviation_1():
    drawn = normal(KEYS, "z")
    assert abs(drawn.mean()) < 4 / N**0.5
    assert abs(drawn.std() - 1) < 4 / (2 * N) ** 0.5


@pytest.mark.parametrize("rate", [0.1, 1.5])
def test_poisson_counts(rate):
    counts = poisson(uniform(KEYS, "n"), rate, most=20)
    for k in range(3):
        assert within((counts == k).mean(), exp(-rate) * rate**k / factorial(k), N)
    assert poisson(uniform(KEYS, "n"), 5.0, most=2).max() == 2


def test_choices_by_hand():
    draws = np.array([0.0, 0.24, 0.25, 0.99])
    assert choose(draws, [1, 2, 1]).tolist() == [0, 0, 1, 2]  # bounds 0.25 and 0.75
    assert choose(draws, [0, 1, 0]).tolist() == [1, 1, 1, 1]  # what has no weight is never drawn
    assert choose_code(draws, {"b": 1, "a": 3}, ("a", "b")).tolist() == [1, 1, 0, 0]
    assert between(draws, 3, 6).tolist() == [3, 3, 4, 6]  # 3 + floor(4 x draw)
