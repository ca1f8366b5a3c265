"""Sets of days as words of bits, against Python's sets of numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st

from visitgrain.metrics.date_sets import BITS, WORDS, empty, followed, hits, insert, moved, origin_of

ORIGIN = 128
KEPT = range(ORIGIN, ORIGIN + BITS * WORDS)
DAYS = st.sets(st.integers(ORIGIN - 70, ORIGIN + BITS * WORDS + 70), max_size=50)
SOME = st.lists(DAYS, min_size=1, max_size=5)


def words_of(sets: list[set[int]]) -> np.ndarray:
    words = empty(len(sets))
    pairs = np.array([(row, day) for row, days in enumerate(sets) for day in days], np.int64).reshape(-1, 2)
    insert(words, pairs[:, 0], pairs[:, 1], ORIGIN)
    return words


def counted(sets: list[set[int]], first: int, last: int) -> list[int]:
    return [sum(first <= day <= last for day in days & set(KEPT)) for days in sets]


@settings(deadline=None)
@given(SOME, st.integers(-90, 600), st.integers(-3, 120))
def test_hits_are_days_in_a_range(sets: list[set[int]], first: int, length: int) -> None:
    last = first + length
    want = counted(sets, ORIGIN + first, ORIGIN + last)
    assert hits(words_of(sets), np.asarray(first), np.asarray(last)).tolist() == want  # one range for all
    each = np.full(len(sets), first), np.full(len(sets), last)
    assert hits(words_of(sets), *each).tolist() == want


@settings(deadline=None)
@given(SOME, st.integers(1, 60))
def test_followed_days_have_a_later_day_within_reach(sets: list[set[int]], within: int) -> None:
    words = words_of(sets)
    alone = hits(words & ~followed(words, within=within), np.asarray(0), np.asarray(len(KEPT)))
    kept = [days & set(KEPT) for days in sets]
    assert alone.tolist() == [sum(not days & {*range(d + 1, d + within + 1)} for d in days) for days in kept]


@settings(deadline=None)
@given(SOME, st.integers(0, WORDS + 1))
def test_a_later_origin_drops_whole_words(sets: list[set[int]], drop: int) -> None:
    later = ORIGIN + drop * BITS
    found = hits(moved(words_of(sets), ORIGIN, later), np.asarray(0), np.asarray(len(KEPT)))
    assert found.tolist() == counted(sets, later, KEPT[-1])


def test_the_last_word_holds_the_last_day() -> None:
    for day in range(20_000, 20_200):
        assert origin_of(day) % BITS == 0
        assert BITS * (WORDS - 1) <= day - origin_of(day) < BITS * WORDS
