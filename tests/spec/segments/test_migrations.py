"""Month-to-month migration: rows sum to last month's base, columns to this month's."""

from __future__ import annotations

from collections import Counter
from datetime import date

from tests.table_rows import found, to_frame
from visitgrain.segments.migrations import trace_migrations
from visitgrain.span import Span
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS, SEGMENT_MIGRATIONS

MARCH = Span(date(2025, 3, 1), date(2025, 3, 31))
BEFORE = """
subscriber_id | segment
1             | 5
2             | 5
3             | 5
4             | -
5             | 27
"""
NOW = """
subscriber_id | segment
1             | 5
2             | 6
4             | 6
5             | -
6             | 6
"""
NOBODY = "subscriber_id | segment"


def migrations(spark, before: str, now: str):
    return trace_migrations(
        to_frame(spark, CONSUMPTION_SEGMENTS, before),
        to_frame(spark, BEHAVIOUR_SEGMENTS, NOBODY),
        to_frame(spark, CONSUMPTION_SEGMENTS, now),
        to_frame(spark, BEHAVIOUR_SEGMENTS, NOBODY),
        spec=None,
        span=MARCH,
    )


def test_matrix_with_joined_left_and_unassigned(spark):
    moved = migrations(spark, BEFORE, NOW)
    assert moved.columns == SEGMENT_MIGRATIONS.column_names
    rows = found(moved, "model", "segment_before", "segment_now", "subscribers", "share_of_before")
    assert rows == [
        ("consumption", -1, 6, 1, 1 / 1),  # 6 joined
        ("consumption", 0, 6, 1, 1 / 1),  # 4 was unassigned
        ("consumption", 5, -1, 1, 1 / 3),  # 3 left
        ("consumption", 5, 5, 1, 1 / 3),
        ("consumption", 5, 6, 1, 1 / 3),
        ("consumption", 27, 0, 1, 1 / 1),  # 5 became unassigned
    ]
    row_sums, column_sums = Counter(), Counter()
    for _, before, now, subscribers, _ in rows:
        row_sums[before] += subscribers
        column_sums[now] += subscribers
    assert row_sums - Counter({-1: 1}) == Counter({5: 3, 0: 1, 27: 1})
    assert column_sums - Counter({-1: 1}) == Counter({6: 3, 5: 1, 0: 1})


def test_in_the_first_month_everybody_joins(spark):
    assert found(migrations(spark, NOBODY, NOW), "segment_before", "segment_now", "subscribers") == [
        (-1, 0, 1),
        (-1, 5, 1),
        (-1, 6, 3),
    ]
