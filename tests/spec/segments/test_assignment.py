"""Levels, segments 1-27 and the reasons why a subscriber has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.table_rows import arrow_rows, read_rows, rows_to_arrow
from visitgrain.catalogue.segment_models import load_segment_models
from visitgrain.segments.assignment import assigned, ends_of
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS, MONTH_FEATURES, SEGMENT_CUT_POINTS

MODELS = load_segment_models(Path(__file__).parents[3] / "conf" / "catalogue" / "segments")

# DOU: no value as high as level 3 was seen when it was fitted.
CUTS = """
model       | axis      | low  | high
consumption | age       | 30   | 50
consumption | arpu      | 4000 | 8000
consumption | dou       | 1000 | -
behaviour   | recency   | 5    | 15
behaviour   | frequency | 2    | 4
behaviour   | value     | 10   | 20
"""
FEATURES = """
subscriber_id | in_service | has_snapshot | age | arpu_fen | dou_mb | visits | mean_interval_days
1             | yes        | yes          | 29  | 3999     | 999.9  | 5      | 4.9
2             | yes        | yes          | 30  | 4000     | 1000   | 2      | 5
3             | yes        | yes          | 50  | 8000     | 9e9    | 1      | 15
4             | yes        | yes          | -   | 8000     | -      | 0      | -
5             | no         | yes          | 40  | 5000     | 2000   | 4      | 15.1
6             | no         | no           | -   | -        | -      | 3      | 14.9
"""
SCORES = {1: 20.0, 2: 9.9, 3: -1.0, 5: 10.0, 6: 19.9}


@pytest.fixture(scope="module")
def inputs():
    rows = [
        {**row, "score": {"general": SCORES.get(row["subscriber_id"], 0.0)}}
        for row in read_rows(MONTH_FEATURES, FEATURES)
    ]
    cuts = rows_to_arrow(SEGMENT_CUT_POINTS, read_rows(SEGMENT_CUT_POINTS, CUTS, version="1"))
    return rows_to_arrow(MONTH_FEATURES, rows), ends_of([cuts])


def test_consumption(inputs):
    """The base is who is in service: 5 is not. 6 has visits but no snapshot at all: shown with that reason."""
    rows = assigned(*inputs, MODELS["consumption"])
    assert rows.column_names == CONSUMPTION_SEGMENTS.column_names
    assert arrow_rows(rows, "subscriber_id", "age_level", "arpu_level", "dou_level", "segment", "reason") == [
        (1, 1, 1, 1, 1, None),  # 9 * 0 + 3 * 0 + 1
        (2, 2, 2, 2, 14, None),  # half-open: 30 is level 2; 9 * 1 + 3 * 1 + 2
        (3, 3, 3, 2, 26, None),  # no cut point towards level 3 of DOU; 9 * 2 + 3 * 2 + 2
        (4, None, 3, None, None, "unknown age, dou"),
        (6, None, None, None, None, "no snapshot"),
    ]


def test_behaviour(inputs):
    """The base is who has a visit: 4 has none. A small interval is level 3."""
    rows = assigned(*inputs, MODELS["behaviour"])
    assert rows.column_names == BEHAVIOUR_SEGMENTS.column_names
    assert arrow_rows(
        rows, "subscriber_id", "recency_level", "frequency_level", "value_level", "segment", "reason"
    ) == [
        (1, 3, 3, 3, 27, None),
        (2, 2, 2, 1, 13, None),  # 5 is no longer below 5: level 2; 9 * 1 + 3 * 1 + 1
        (3, 1, 1, 1, 1, None),
        (5, 1, 3, 2, 8, None),  # 9 * 0 + 3 * 2 + 2
        (6, 2, 2, 2, 14, None),
    ]


def test_a_score_that_the_month_does_not_have_is_unknown(inputs):
    """The card came later than the month's features."""
    axes = list(MODELS["behaviour"].axes)
    axes[2] = axes[2].model_copy(update={"measure": "score.new"})
    rows = assigned(*inputs, MODELS["behaviour"].model_copy(update={"axes": tuple(axes)}))
    assert set(arrow_rows(rows, "value", "segment", "reason")) == {(None, None, "unknown value")}
