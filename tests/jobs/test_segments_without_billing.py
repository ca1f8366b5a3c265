"""A log without billing: consumption segments stay empty with a reason, everything else works."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.table_rows import found, read_rows, rows_to_arrow, rows_to_frame
from visitgrain.catalogue.segment_models import load_segment_models
from visitgrain.segments.assignment import assigned, ends_of
from visitgrain.segments.cut_points import cut_points, value_counts
from visitgrain.segments.profiles import Described, profile_segments
from visitgrain.span import Span
from visitgrain.tables.segmentation import MONTH_FEATURES

MARCH = Span(date(2025, 3, 1), date(2025, 3, 31))
MODELS = load_segment_models(Path(__file__).parents[2] / "conf" / "catalogue" / "segments")
VISITORS = """
subscriber_id | visits | mean_interval_days
1             | 1      | 20
2             | 2      | 10
3             | 9      | 1
"""


@pytest.fixture(scope="module")
def profiles(spark):
    rows = [{**row, "score": {"general": float(row["visits"])}} for row in read_rows(MONTH_FEATURES, VISITORS)]
    features = rows_to_frame(spark, MONTH_FEATURES, rows)
    columns = rows_to_arrow(MONTH_FEATURES, rows)
    ends = ends_of([cut_points(value_counts(columns, MODELS), [], MODELS, MARCH.start)])
    segments = [spark.createDataFrame(assigned(columns, ends, model)) for model in MODELS.values()]
    return profile_segments(features, *segments, spec=Described(MODELS, ("general",)), span=MARCH).cache()


def test_no_billing_leaves_consumption_unassigned_with_the_reason(profiles):
    reason = profiles.where("feature = 'unassigned_share'")
    assert found(reason, "model", "segment", "item", "value", "subscribers") == [
        ("consumption", 0, "no snapshot", 1.0, 3)
    ]
    shares = profiles.where("feature = 'share' AND model = 'consumption' AND value > 0")
    assert found(shares, "segment", "value") == [(0, 1.0)]


def test_behaviour_works_without_billing(profiles):
    shares = profiles.where("feature = 'share' AND model = 'behaviour' AND value > 0")
    assert found(shares, "segment_name", "subscribers") == [("R1F1V1", 1), ("R2F2V2", 1), ("R3F3V3", 1)]
