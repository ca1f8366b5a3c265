"""The monthly jobs end to end: what must hold between the tables of two simulated months."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import pytest

from visitgrain.cli.explain_subscriber import explain_subscriber
from visitgrain.tables.segmentation import (
    BEHAVIOUR_SEGMENTS,
    CONSUMPTION_SEGMENTS,
    MODELS,
    MONTH_FEATURES,
    SCORE_CARD_REPORTS,
    SEGMENT_CUT_POINTS,
    SEGMENT_MIGRATIONS,
    SEGMENT_PROFILES,
    TIME_PREFERENCES,
)
from visitgrain.tables.visiting import VISITS

FEBRUARY, MARCH = date(2026, 2, 1), date(2026, 3, 1)
TABLES = {"consumption": CONSUMPTION_SEGMENTS, "behaviour": BEHAVIOUR_SEGMENTS}


@pytest.fixture(scope="module")
def rows(small_world):
    """Rows of a table by name, each read once."""
    tables = (*TABLES.values(), MONTH_FEATURES, SEGMENT_CUT_POINTS, SEGMENT_MIGRATIONS, SEGMENT_PROFILES)
    read = {table.name: small_world.lake.read(table).collect() for table in (*tables, SCORE_CARD_REPORTS)}
    read["time_preferences"] = small_world.lake.read(TIME_PREFERENCES).where("owner_type != 'subscriber'").collect()
    return read


def base_of(rows, model: str, month: date) -> Counter:
    """Subscribers per segment, 0 = unassigned."""
    return Counter(row.segment or 0 for row in rows[TABLES[model].name] if row.month == month)


def test_every_known_visit_of_the_month_is_in_the_features(small_world, rows):
    visits = small_world.lake.read(VISITS, (MARCH, date(2026, 3, 31))).where("subscriber_id IS NOT NULL")
    known = Counter(row.subscriber_id for row in visits.select("subscriber_id").collect())
    features = {row.subscriber_id: row.visits for row in rows["month_features"] if row.month == MARCH and row.visits}
    assert features == dict(known)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("month", [FEBRUARY, MARCH])
def test_profiles_hold_all_cells_and_sum_to_the_base(rows, model, month):
    cells = {
        row.segment: row.subscribers for row in rows["segment_profiles"] if (row.model, row.month) == (model, month)
    }
    base = base_of(rows, model, month)
    assert cells == {segment: base[segment] for segment in range(28)}
    assert sum(base.values()) > 0


@pytest.mark.parametrize("model", MODELS)
def test_migrations_sum_to_both_bases(rows, model):
    before, now = Counter(), Counter()
    for row in rows["segment_migrations"]:
        if (row.model, row.month) == (model, MARCH):
            before[row.segment_before] += row.subscribers
            now[row.segment_now] += row.subscribers
    assert {k: n for k, n in before.items() if k != -1} == base_of(rows, model, FEBRUARY)
    assert {k: n for k, n in now.items() if k != -1} == base_of(rows, model, MARCH)


def test_time_preferences_share_out_all_visits(rows):
    shares = defaultdict(float)
    for row in rows["time_preferences"]:
        shares[row.month, row.owner_type, row.owner_id] += row.share
    assert shares
    assert all(total == pytest.approx(1) for total in shares.values())


def test_cut_points_are_fitted_once(rows):
    cuts = defaultdict(set)
    for row in rows["segment_cut_points"]:
        cuts[row.model, row.axis].add((row.low, row.high, row.fitted_on, row.subscribers))
    assert len(cuts) == 6
    assert all(len(used) == 1 for used in cuts.values())


def test_score_cards_are_reported_on_the_month_after(rows):
    report = [row for row in rows["score_card_reports"] if row.month == MARCH and row.behaviour == "card"]
    scored = sum(1 for row in rows["month_features"] if row.month == FEBRUARY and row.visits)
    assert {row.subscribers for row in report} == {scored}
    assert {row.purpose for row in report} == {"general", "purchase_intent", "service", "engagement", "benefit"}
    assert all(row.auc is None or 0 <= row.auc <= 1 for row in report)


def test_explain_names_the_segment(small_world, rows):
    row = next(row for row in rows["behaviour_segments"] if row.month == MARCH and row.segment)
    text = explain_subscriber(small_world, row.subscriber_id, MARCH)
    assert f"behaviour segment: {row.segment} R{row.recency_level}F{row.frequency_level}V{row.value_level}" in text
