"""Days into windows, and how far history reaches: small tables whose sums are in sight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given, settings, strategies as st

from visitgrain.metrics.history import Reach, reach_of
from visitgrain.metrics.sums_of_days import DayRows
from visitgrain.metrics.windows import EPOCH, WindowEnd
from visitgrain.span import Span

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(-5, 200)), max_size=25)


def day(number: int) -> date:
    return EPOCH + timedelta(days=number)


def table(rows: list[tuple[int, int, int]], **more: pa.Array) -> pa.Table:
    return pa.table(
        {
            "day": pa.array([day(d) for _, d, _ in rows], pa.date32()),
            "n": pa.array([n for *_, n in rows], pa.int16()),
            **more,
        }
    )


@settings(deadline=None)
@given(ROWS, ROWS, st.integers(0, 9), st.integers(0, 9))
def test_sums_are_those_of_a_dictionary(one: list, other: list, a: int, b: int) -> None:
    """Tables may lack a column, or have it in more bytes."""
    first, last = min(a, b), max(a, b)
    wide = table(other, m=pa.array([n * 1_000_000 for *_, n in other], pa.int64()))
    subject = np.array([s for s, *_ in one + other], np.int64)
    rows = DayRows.of(5, subject, [table(one), wide])
    inside = [(s, n) for s, d, n in one + other if first <= d <= last]
    found = rows.sums(["n", "m", "unknown"], Span(day(first), day(last)))
    assert found["n"].tolist() == [sum(n for s, n in inside if s == subject) for subject in range(5)]
    late = [(s, n) for s, d, n in other if first <= d <= last]
    assert found["m"].tolist() == [sum(n * 1_000_000 for s, n in late if s == subject) for subject in range(5)]
    assert not found["unknown"].any()
    assert rows.present(Span(day(first), day(last))).tolist() == [subject in dict(inside) for subject in range(5)]


def test_a_double_is_the_sum_of_its_two_parts() -> None:
    rows = [(0, 1, 1), (0, 2, 2), (1, 2, 0)]  # 1.75 + 2.5 = 4.25; 0.25
    fraction = pa.array([75 * 10**10, 5 * 10**11, 25 * 10**10])
    found = DayRows.of(2, np.array([0, 0, 1]), [table(rows, n__fraction=fraction)])
    assert found.sums(["n"], Span(day(1), day(2)))["n"].tolist() == [4.25, 0.25]


def test_history_reaches_back_to_the_first_gap() -> None:
    through = {day(n): datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=n + 1) for n in (1, 3, 4, 5)}
    assert reach_of(through, WindowEnd("r7", day(5))) == Reach(day(3), through[day(5)])  # day 2 is missing
    assert reach_of(through, WindowEnd("day", day(2))) == Reach(None, None)
    late = through | {day(4): through[day(5)] + timedelta(days=1)}  # computed once more
    assert reach_of(late, WindowEnd("r7", day(5))).complete_through == late[day(4)]
