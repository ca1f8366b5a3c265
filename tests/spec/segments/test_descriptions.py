"""Time preferences and profiles: what describes a segment."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from tests.table_rows import found, read_rows, rows_to_frame, to_frame
from visitgrain.catalogue.segment_models import load_segment_models
from visitgrain.segments.profiles import Described, profile_segments
from visitgrain.segments.time_preferences import find_time_preferences
from visitgrain.span import Span
from visitgrain.tables.segmentation import (
    BEHAVIOUR_SEGMENTS,
    CONSUMPTION_SEGMENTS,
    MONTH_FEATURES,
    SEGMENT_PROFILES,
    TIME_PREFERENCES,
)
from visitgrain.tables.visiting import VISITS

MARCH = Span(date(2025, 3, 1), date(2025, 3, 31))
MODELS = load_segment_models(Path(__file__).parents[3] / "conf" / "catalogue" / "segments")

# 1, 2 and 3 share consumption segment 6; 4 is in service with unknown age; 3 never visits.
FEATURES = """
subscriber_id | visits | arpu_fen | plan_id | plan_downgraded | ordered_businesses
1             | 4      | 3900     | p39     | yes             | plan
2             | 2      | 5900     | p59     | no              | none
3             | 0      | -        | p39     | no              | broadband
4             | 1      | 9900     | p99     | no              | none
"""
CONSUMPTION = """
subscriber_id | segment | reason
1             | 6       | -
2             | 6       | -
3             | 6       | -
4             | -       | unknown age
"""
BEHAVIOUR = """
subscriber_id | segment
1             | 27
2             | 1
4             | 1
"""
VISITS_TEXT = """
visit_id | subscriber_id | weekday | hour
1        | 1             | 3       | 9
2        | 1             | 3       | 9
3        | 1             | 3       | 9
4        | 1             | 7       | 23
5        | 2             | 3       | 9
6        | 2             | 1       | 8
7        | 4             | 1       | 8
8        | -             | 5       | 5
"""


@pytest.fixture(scope="module")
def segments(spark):
    return to_frame(spark, CONSUMPTION_SEGMENTS, CONSUMPTION), to_frame(spark, BEHAVIOUR_SEGMENTS, BEHAVIOUR)


@pytest.fixture(scope="module")
def profiles(spark, segments):
    plan = {1: 5, 2: 0, 3: 0, 4: 1}
    rows = [
        {
            **row,
            "score": {"general": float(row["visits"])},
            "business_events": {"plan": plan[row["subscriber_id"]]},
            "channel_visits": {"app": row["visits"]},
        }
        for row in read_rows(MONTH_FEATURES, FEATURES)
    ]
    described = Described(MODELS, ("general",))
    profiled = profile_segments(rows_to_frame(spark, MONTH_FEATURES, rows), *segments, spec=described, span=MARCH)
    assert profiled.columns == SEGMENT_PROFILES.column_names
    return profiled.collect()


def values(profiles, model: str, segment: int) -> dict[tuple[str, str], float | None]:
    return {(row.feature, row.item): row.value for row in profiles if (row.model, row.segment) == (model, segment)}


def test_profile_of_a_consumption_segment(profiles):
    six = values(profiles, "consumption", 6)
    assert six["share", "all"] == 3 / 4
    assert six["mean_arpu_fen", "all"] == (3900 + 5900) / 2  # who has no bill does not count as zero
    assert six["mean_visits", "all"] == (4 + 2 + 0) / 3
    assert six["mean_score", "general"] == (4 + 2 + 0) / 3
    assert (six["plan_share", "p39"], six["plan_share", "p59"]) == (2 / 3, 1 / 3)
    assert six["plan_downgraded_share", "all"] == 1 / 3
    # Subscriber 1 looked at plans and ordered one: counted once. Subscriber 3 ordered broadband elsewhere.
    assert (six["business_penetration", "plan"], six["business_penetration", "broadband"]) == (1 / 3, 1 / 3)
    assert six["channel_share", "app"] == 2 / 3
    assert {row.segment_name for row in profiles if (row.model, row.segment) == ("consumption", 6)} == {"A1P2D3"}


def test_the_unassigned_are_profiled_with_their_reason(profiles):
    unassigned = values(profiles, "consumption", 0)
    assert unassigned["share", "all"] == 1 / 4
    assert unassigned["unassigned_share", "unknown age"] == 1.0
    assert unassigned["mean_arpu_fen", "all"] == 9900


def test_all_cells_are_there_and_sum_to_the_base(profiles):
    subscribers = {(row.model, row.segment): row.subscribers for row in profiles}
    assert set(subscribers) == {(model, segment) for model in MODELS for segment in range(28)}
    assert sum(n for (model, _), n in subscribers.items() if model == "consumption") == 4
    assert sum(n for (model, _), n in subscribers.items() if model == "behaviour") == 3
    empty = values(profiles, "behaviour", 14)
    assert empty["share", "all"] == 0.0
    assert empty["mean_visits", "all"] is None


def test_a_key_is_there_once(profiles):
    keys = [tuple(row[name] for name in SEGMENT_PROFILES.key) for row in profiles]
    assert len(keys) == len(set(keys))


def test_time_preferences(spark, segments):
    preferences = find_time_preferences(to_frame(spark, VISITS, VISITS_TEXT), *segments, spec=None, span=MARCH)
    assert preferences.columns == TIME_PREFERENCES.column_names
    rows = found(preferences, "owner_type", "owner_id", "weekday", "hour", "visits", "share")
    assert rows == [
        ("behaviour", 1, 1, 8, 2, 2 / 3),  # subscribers 2 and 4
        ("behaviour", 1, 3, 9, 1, 1 / 3),
        ("behaviour", 27, 3, 9, 3, 3 / 4),
        ("behaviour", 27, 7, 23, 1, 1 / 4),
        ("consumption", 0, 1, 8, 1, 1 / 1),  # the unassigned subscriber 4
        ("consumption", 6, 1, 8, 1, 1 / 6),  # subscribers 1 and 2
        ("consumption", 6, 3, 9, 4, 4 / 6),
        ("consumption", 6, 7, 23, 1, 1 / 6),
        ("subscriber", 1, 3, 9, 3, 3 / 4),
        ("subscriber", 1, 7, 23, 1, 1 / 4),
        ("subscriber", 2, 1, 8, 1, 1 / 2),
        ("subscriber", 2, 3, 9, 1, 1 / 2),
        ("subscriber", 4, 1, 8, 1, 1 / 1),
    ]
    shares = defaultdict(float)
    for owner_type, owner_id, _, _, _, share in rows:
        shares[owner_type, owner_id] += share
    assert all(total == pytest.approx(1) for total in shares.values())
