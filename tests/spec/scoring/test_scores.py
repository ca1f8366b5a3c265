"""The score of a visit, and how well score cards predict the month after."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from tests.table_rows import read_rows, rows_to_frame, to_frame
from visitgrain.catalogue.score_cards import ScoreCard, score_versions
from visitgrain.scoring.card_report import report_score_cards
from visitgrain.span import Span
from visitgrain.tables.segmentation import MONTH_FEATURES, SCORE_CARD_REPORTS
from visitgrain.tables.visiting import VISITS
from visitgrain.visits.scores import visit_scores

APRIL = Span(date(2025, 4, 1), date(2025, 4, 30))
COMMON = {"zh": "", "en": "", "description": "", "ridge": 0.1}
CARDS = {
    "general": ScoreCard(
        purpose="general", version="3", weights={"click": 1, "order_paid": 10.5, "error": -0.1}, **COMMON
    ),
    "service": ScoreCard(purpose="service", version="1", weights={"query": 2}, **COMMON),
}

MARCH_VISITS = """
visit_id | subscriber_id | click | order_paid | error | query
1        | 1             | 2     | 1          | 3     | 0
2        | 1             | 1     | 0          | 0     | 1
3        | 2             | 1     | 0          | 0     | 1
4        | 3             | 0     | 0          | 1     | 1
5        | 4             | 1     | 0          | 0     | 3
6        | -             | 9     | 9          | 9     | 9
"""
# Of the four scored, 1 and 2 come again; 2 tops up and 3 orders in an outlet; 5 was not there in March.
APRIL_FEATURES = """
subscriber_id | visits | orders | topups | ordered_businesses
1             | 3      | 0      | 0      | none
2             | 1      | 0      | 1      | none
3             | 0      | 0      | 0      | broadband
5             | 9      | 9      | 9      | plan
"""


def test_a_visit_scores_its_behaviours_for_every_purpose():
    visits = pa.table({"click": [2, 1], "order_paid": [1, 0], "error": [3, 0], "query": [0, 1]})
    assert visit_scores(visits, CARDS).to_pylist(maps_as_pydicts="strict") == [
        {"general": 12.2, "service": 0.0},  # 2 * 1 + 1 * 10.5 - 3 * 0.1, without a rounding error
        {"general": 1.0, "service": 2.0},
    ]


def test_versions():
    assert score_versions(CARDS) == "general=3,service=1"


@pytest.fixture(scope="module")
def report(spark):
    features = rows_to_frame(spark, MONTH_FEATURES, read_rows(MONTH_FEATURES, APRIL_FEATURES))
    reported = report_score_cards(to_frame(spark, VISITS, MARCH_VISITS), features, spec=CARDS, span=APRIL)
    assert reported.columns == SCORE_CARD_REPORTS.column_names
    rows = reported.collect()
    return {(row.purpose, row.target, row.behaviour): row for row in rows}


def test_a_line_per_card_and_per_behaviour(report):
    lines = {(purpose, name) for purpose, card in CARDS.items() for name in ("card", *card.weights)}
    assert {(purpose, name) for purpose, _, name in report} == lines
    assert {row.month for row in report.values()} == {date(2025, 4, 1)}
    assert {(row.target, row.subscribers, row.positives) for row in report.values()} == {
        ("active_next_month", 4, 2),
        ("orders_next_month", 4, 2),
    }


def test_area_under_the_curve_counts_ties_as_half(report):
    """General scores: 1 has 13.2, 2 and 4 have 1.0, 3 has -0.1. Service scores: 2, 2, 2, 6."""
    # Pairs (came again, did not): 1 beats 4 and 3; 2 ties with 4 and beats 3: (1 + 1 + 0.5 + 1) / 4
    assert report["general", "active_next_month", "card"].auc == 3.5 / 4
    # Pairs (ordered, did not): 2 loses to 1 and ties with 4; 3 loses to both: (0 + 0.5 + 0 + 0) / 4
    assert report["general", "orders_next_month", "card"].auc == 0.5 / 4
    # 1 and 2 both tie with 3 and lose to 4: (0.5 + 0 + 0.5 + 0) / 4
    assert report["service", "active_next_month", "query"].auc == 1 / 4
    assert report["service", "active_next_month", "card"].auc == 1 / 4


def test_correlation_and_weights(report):
    query = report["service", "active_next_month", "query"]
    # query 1 1 1 3: mean 1.5, variance 0.75; target 1 1 0 0: variance 0.25; covariance = 2/4 - 1.5 * 0.5 = -0.25
    assert query.correlation == pytest.approx(-0.25 / (0.75 * 0.25) ** 0.5)
    assert (query.weight, query.proposed_weight) == (
        2.0,
        -2.0,
    )  # alone in its card: the sign is all there is to propose
    whole = report["service", "active_next_month", "card"]
    assert whole.correlation == pytest.approx(query.correlation)
    assert (whole.weight, whole.proposed_weight) == (None, None)
    general = [report["general", "active_next_month", name].proposed_weight for name in CARDS["general"].weights]
    assert sum(abs(weight) for weight in general) == pytest.approx(1 + 10.5 + 0.1, abs=0.002)


def test_nobody_to_score(spark):
    nobody = to_frame(spark, VISITS, "visit_id")
    features = to_frame(spark, MONTH_FEATURES, "subscriber_id")
    assert report_score_cards(nobody, features, spec=CARDS, span=APRIL).collect() == []
