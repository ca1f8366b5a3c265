"""Month features: what a subscriber's visits of March 2025 (Asia/Shanghai) become, beside the snapshot."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.table_rows import ARROW, ZONE, arrow_rows, read_rows, rows_to_file
from visitgrain.arrow.casting import as_types
from visitgrain.segments.month_features import features
from visitgrain.segments.subscriber_parts import (
    Asked,
    of_orders,
    of_snapshot,
    of_snapshot_before,
    of_visit_days,
    of_visits,
    packed_parts,
    subscribers,
)
from visitgrain.span import Span
from visitgrain.tables.inputs import ORDERS, SUBSCRIBER_MONTH
from visitgrain.tables.segmentation import MONTH_FEATURES
from visitgrain.tables.visiting import VISIT_DAYS, VISITS

MARCH = Span(date(2025, 3, 1), date(2025, 3, 31))
ASKED = Asked(("general",), MARCH)

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


def summarised(folder, sources) -> pa.Table:
    """Each (table, rows, part) of `sources` in a task of its own, all in one bucket."""
    batches = []
    for table, rows, part in sources:
        listing = pa.RecordBatch.from_pylist([vars(rows_to_file(table, rows, folder))])
        batches += packed_parts([listing], part=part, asked=ASKED, buckets=1)
    return features(subscribers(batches, ASKED), ASKED, str(ZONE))


@pytest.fixture(scope="module")
def visits():
    scores = (0.1, 0.2, 0.7, 9.0)
    return [
        {**row, "score": {"general": score}} for row, score in zip(read_rows(VISITS, VISITS_TEXT), scores, strict=True)
    ]


@pytest.fixture(scope="module")
def everybody(visits, tmp_path_factory):
    """Visits 1 and 3 are in other files, and tasks, than 2 and 4."""
    sources = (
        (VISITS, visits[::2], of_visits),
        (VISITS, visits[1::2], of_visits),
        (VISIT_DAYS, read_rows(VISIT_DAYS, DAYS_TEXT), of_visit_days),
        (SUBSCRIBER_MONTH, read_rows(SUBSCRIBER_MONTH, SNAPSHOTS_TEXT), of_snapshot),
        (SUBSCRIBER_MONTH, read_rows(SUBSCRIBER_MONTH, BEFORE_TEXT), of_snapshot_before),
        (ORDERS, read_rows(ORDERS, ORDERS_TEXT), of_orders),
    )
    return summarised(tmp_path_factory.mktemp("files"), sources)


@pytest.fixture(scope="module")
def known(everybody):
    return everybody.filter(pc.equal(everybody["_outcome"], "kept"))


def test_intervals_hold_the_open_one_at_month_end(known):
    names = ("subscriber_id", "visits", "recency_days", "mean_gap_days", "mean_interval_days", "mean_visits_30d")
    assert arrow_rows(known, *names) == [
        (1, 2, 6.0, 15.0, (15 + 6) / 2, (1 + 2) / 2),
        (2, 1, 0.5, 40.25, (40.25 + 0.5) / 2, 1.0),
        (3, 0, None, None, None, None),
    ]


def test_active_days_split_visits_over_midnight_and_stay_in_the_month(known):
    assert arrow_rows(known, "subscriber_id", "active_days") == [(1, 3), (2, 1), (3, 0)]


def test_sums_and_scores_over_visits(known):
    names = ("subscriber_id", "orders", "topups", "paid_fen", "score_per_visit")
    assert arrow_rows(known, *names) == [
        (1, 1, 1, 500 + 2000, 0.3 / 2),
        (2, 0, 0, 0, 0.7),
        (3, 0, 0, 0, None),
    ]
    [one] = known.filter(pc.equal(known["subscriber_id"], 1)).to_pylist(maps_as_pydicts="strict")
    assert one["score"] == {"general": 0.3}  # not 0.30000000000000004: sums are of whole thousandths
    assert one["business_events"] == {"broadband": 0, "plan": 3, "data": 0, "topup": 0, "sim": 0, "handset": 0}
    assert one["channel_visits"] == {"app": 1, "web": 1, "wechat": 0}
    assert one["ordered_businesses"] == ["broadband", "plan"]


def test_snapshot_columns(known):
    names = ("subscriber_id", "age", "arpu_fen", "in_service", "has_snapshot", "plan_downgraded")
    assert arrow_rows(known, *names) == [
        (1, 2025 - 1990, 5900, True, True, True),  # 99 yuan -> 59 yuan
        (2, None, None, False, False, False),
        (3, 61, 3900, False, True, False),
    ]


def test_every_visit_is_accounted_for(everybody):
    assert arrow_rows(everybody, "subscriber_id", "_rows", "_outcome") == [
        (None, 1, "anonymous"),
        (1, 2, "kept"),
        (2, 1, "kept"),
        (3, 0, "kept"),
    ]


def test_a_bucket_without_snapshots_orders_or_days_has_all_columns(tmp_path, visits):
    alone = summarised(tmp_path, [(VISITS, visits[:1], of_visits)])
    assert arrow_rows(alone, "subscriber_id", "visits", "active_days", "age", "plan_id", "in_service") == [
        (1, 1, 0, None, None, False)
    ]
    assert alone["ordered_businesses"].to_pylist() == [[]]


def test_a_task_that_merges_its_rows_goes_with_one_that_does_not(tmp_path, visits):
    """Three visits of one subscriber are merged before they are sent, three of three subscribers are not."""
    of_one, of_three = ([{**visits[0], "subscriber_id": who} for who in whose] for whose in ((1, 1, 1), (1, 2, 3)))
    both = summarised(tmp_path, [(VISITS, of_one, of_visits), (VISITS, of_three, of_visits)])
    assert sorted(arrow_rows(both, "subscriber_id", "visits")) == [(1, 4), (2, 1), (3, 1)]
    assert {row["subscriber_id"]: dict(row["channel_visits"])["app"] for row in both.to_pylist()} == {1: 4, 2: 1, 3: 1}


def test_declared_columns_and_types(known):
    schema = pa.schema([(column.name, ARROW[column.type]) for column in MONTH_FEATURES.columns])
    assert as_types(known, schema).schema == schema
