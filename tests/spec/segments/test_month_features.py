"""Month features: what a subscriber's visits of March 2025 (Asia/Shanghai) become, beside the snapshot."""

from __future__ import annotations

from datetime import date

import pytest

from tests.table_rows import found, read_rows, rows_to_files, to_frame
from visitgrain.catalogue.score_cards import ScoreCard
from visitgrain.segments.month_features import summarise_months
from visitgrain.span import Span
from visitgrain.tables.inputs import ORDERS, SUBSCRIBER_MONTH
from visitgrain.tables.segmentation import MONTH_FEATURES
from visitgrain.tables.visiting import VISIT_DAYS, VISITS

MARCH = Span(date(2025, 3, 1), date(2025, 3, 31))
CARD = ScoreCard(
    purpose="general", version="1", zh="综合", en="general", description="", ridge=1, weights={"click": 0.1}
)

# Subscriber 1 comes twice, 2 once, 3 never (snapshot only); one visit is nobody's. Month end = 1 April 00:00.
VISITS_TEXT = """
visit_id | subscriber_id | channel | start         | gap_days | visits_30d | order_paid | topup | paid_fen | plan_events
1        | 1             | app     | 2025-03-11    | -        | 1          | 0          | 1     | 500      | 2
2        | 1             | web     | 2025-03-26    | 15       | 2          | 1          | 0     | 2000     | 1
3        | 2             | app     | 2025-03-31T12 | 40.25    | 1          | 0          | 0     | 0        | 0
4        | -             | app     | 2025-03-05    | -        | 1          | 0          | 0     | 0        | 0
"""
# Visit 2 runs over midnight. Visit 9 began on 28 February: only its second day counts. Visit 3 has no active event.
DAYS_TEXT = """
visit_id | day        | subscriber_id | active_events
1        | 2025-03-11 | 1             | 4
2        | 2025-03-26 | 1             | 2
2        | 2025-03-27 | 1             | 1
9        | 2025-02-28 | 2             | 3
9        | 2025-03-01 | 2             | 1
3        | 2025-03-31 | 2             | 0
4        | 2025-03-05 | -             | 5
"""
SNAPSHOTS_TEXT = """
subscriber_id | birth_year | age | arpu_fen | dou_mb | plan_id | plan_fee_fen | status
1             | 1990       | -   | 5900     | 2048   | p59     | 5900         | active
3             | -          | 61  | 3900     | -      | p39     | 3900         | cancelled
"""
BEFORE_TEXT = """
subscriber_id | plan_fee_fen
1             | 9900
3             | 3900
"""
# A return (negative) and a failed order: only what was paid once is completed, a later cancellation included.
ORDERS_TEXT = """
order_id | subscriber_id | business  | status
a        | 1             | plan      | fulfilled
b        | 1             | broadband | cancelled
c        | 1             | data      | failed
d        | -             | sim       | paid
"""


@pytest.fixture(scope="module")
def features(spark, tmp_path_factory):
    visits = [
        {**row, "score": {"general": score}}
        for row, score in zip(read_rows(VISITS, VISITS_TEXT), (0.1, 0.2, 0.7, 9.0), strict=True)
    ]
    return summarise_months(
        rows_to_files(spark, VISITS, visits, tmp_path_factory.mktemp("lake")),
        to_frame(spark, VISIT_DAYS, DAYS_TEXT),
        to_frame(spark, SUBSCRIBER_MONTH, SNAPSHOTS_TEXT),
        to_frame(spark, SUBSCRIBER_MONTH, BEFORE_TEXT),
        to_frame(spark, ORDERS, ORDERS_TEXT),
        spec={"general": CARD},
        span=MARCH,
    ).cache()


def test_intervals_hold_the_open_one_at_month_end(features):
    names = ("subscriber_id", "visits", "recency_days", "mean_gap_days", "mean_interval_days", "mean_visits_30d")
    assert found(features.filter("_outcome = 'kept'"), *names) == [
        (1, 2, 6.0, 15.0, (15 + 6) / 2, (1 + 2) / 2),
        (2, 1, 0.5, 40.25, (40.25 + 0.5) / 2, 1.0),
        (3, 0, None, None, None, None),
    ]


def test_active_days_split_visits_over_midnight_and_stay_in_the_month(features):
    assert found(features.filter("_outcome = 'kept'"), "subscriber_id", "active_days") == [(1, 3), (2, 1), (3, 0)]


def test_sums_and_scores_over_visits(features):
    names = ("subscriber_id", "orders", "topups", "paid_fen", "score_per_visit")
    assert found(features.filter("_outcome = 'kept'"), *names) == [
        (1, 1, 1, 500 + 2000, 0.3 / 2),
        (2, 0, 0, 0, 0.7),
        (3, 0, 0, 0, None),
    ]
    one = features.filter("subscriber_id = 1").first()
    assert one["score"] == {"general": 0.3}  # not 0.30000000000000004: sums are of whole thousandths
    assert one["business_events"] == {"broadband": 0, "plan": 3, "data": 0, "topup": 0, "sim": 0, "handset": 0}
    assert one["channel_visits"] == {"app": 1, "web": 1, "wechat": 0}
    assert one["ordered_businesses"] == ["broadband", "plan"]


def test_snapshot_columns(features):
    names = ("subscriber_id", "age", "arpu_fen", "in_service", "has_snapshot", "plan_downgraded")
    assert found(features.filter("_outcome = 'kept'"), *names) == [
        (1, 2025 - 1990, 5900, True, True, True),  # 99 yuan -> 59 yuan
        (2, None, None, False, False, False),
        (3, 61, 3900, False, True, False),
    ]


def test_every_visit_is_accounted_for(features):
    assert found(features, "subscriber_id", "_rows", "_outcome") == [
        (None, 1, "anonymous"),
        (1, 2, "kept"),
        (2, 1, "kept"),
        (3, 0, "kept"),
    ]


def test_declared_columns_and_types(features):
    types = {field.name: field.dataType.simpleString() for field in features.schema}
    assert {column.name: types[column.name] for column in MONTH_FEATURES.columns} == {
        column.name: column.type for column in MONTH_FEATURES.columns
    }
