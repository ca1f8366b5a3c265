"""Reasons: what adds most to the risk, told beside what is usual."""

from __future__ import annotations

import numpy as np
import pytest

from visitgrain.catalogue.churn_phrases import Phrases
from visitgrain.catalogue.yaml_file import parse
from visitgrain.churn.panel import panel_of
from visitgrain.churn.reasons import NOBODY, codes, top_reasons, usual_of_stayers, worded

FEATURES = ("recency", "ev_30", "ev_180", "gap", "moy")
YAML = """
phrases:
  recency: {en: days since the last visit, zh: 距上次访问, unit_zh: 天, worse: high, usual: {feature: gap}}
  ev_30:
    {en: visits in the last 30 days, zh: 近30天访问次数, family: visits, worse: low,
    usual: {feature: ev_180, divided_by: 6}}
  ev_180: {en: visits in the last 180 days, zh: 近180天访问次数, family: visits}
  gap: {en: days between visits, zh: 访问间隔, decimals: 1, unit_en: " d"}
"""
NAN = float("nan")


@pytest.fixture
def phrases(tmp_path):
    (tmp_path / "reasons.yaml").write_text(YAML, encoding="utf-8")
    return parse(Phrases, tmp_path / "reasons.yaml").phrases


#                recency ev_30 ev_180 gap  moy
CONTRIBUTIONS = [[0.5, 0.4, 0.3, 0.0, 9.0], [-0.1, 0.9, -1.0, 0.2, 0.0], [-1.0, -1.0, -1.0, -1.0, 1.0]]


def test_families_compete_by_their_sum_and_only_what_adds_to_the_risk_counts(phrases):
    reasons = top_reasons(np.array(CONTRIBUTIONS), FEATURES, phrases, top=2)
    # visits: .4 + .3 beats recency .5, told by ev_30; second row: .9 - 1 < 0, gap remains; `moy` has no phrase
    assert codes(reasons, FEATURES).tolist() == [["ev_30", "recency"], ["gap", None], [None, None]]
    np.testing.assert_allclose(reasons.log_odds, [[0.7, 0.5], [0.2, 0], [0, 0]])


def test_more_reasons_than_families_leave_the_rest_empty(phrases):
    assert codes(top_reasons(np.array(CONTRIBUTIONS), FEATURES, phrases, top=6), FEATURES).shape == (3, 6)
    assert top_reasons(np.zeros((0, 5)), FEATURES, phrases).feature.shape == (0, 3)
    assert (top_reasons(np.ones((2, 5)), FEATURES, {}).feature == NOBODY).all()


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["visits in the last 30 days: 1, usual: 9", "days since the last visit: 20, usual: 3"]),
        ("zh", ["近30天访问次数：1，平时：9", "距上次访问：20天，平时：3天"]),
    ],
)
def test_a_habit_of_ones_own_is_the_usual(phrases, language, expected):
    x = np.array([[20.4, 1, 54, 3.2, 1]])  # 54 visits in 180 days: 9 in 30
    reasons = top_reasons(np.array([[0.5, 0.9, 0, 0, 0]]), FEATURES, phrases, top=2)
    assert worded(reasons, x, FEATURES, np.zeros(5), phrases, language).tolist() == [expected]


def test_without_a_habit_the_median_of_stayers_is_usual(phrases):
    x = [[1, 1, 5, 2.0, 1], [1, 1, 7, 3.0, 1], [1, 1, 9, NAN, 1], [1, 1, 99, 77, 1]]
    usual = usual_of_stayers(panel_of(FEATURES, x, [0, 0, 0, 1], ["2025-01"] * 4, range(4)))
    assert usual.tolist() == [1, 1, 7, 2.5, 1]
    reasons = top_reasons(np.array([[0, 0, 0, 1.0, 0]] * 2), FEATURES, phrases, top=1)
    told = worded(reasons, np.array([[0, 0, 0, 9.04, 0], [0, 0, 0, NAN, 0]]), FEATURES, usual, phrases)
    assert told.tolist() == [["days between visits: 9 d, usual: 2.5 d"], ["days between visits: none, usual: 2.5 d"]]


@pytest.mark.parametrize("visits_in_180_days", [12, 6, NAN])
def test_a_value_that_is_not_worse_than_usual_is_not_compared(phrases, visits_in_180_days):
    x = np.array([[0, 2, visits_in_180_days, 0, 0]])  # 2, 1 or an unknown number are usual
    reasons = top_reasons(np.array([[0, 1.0, 0, 0, 0]]), FEATURES, phrases, top=1)
    assert worded(reasons, x, FEATURES, np.zeros(5), phrases).tolist() == [["visits in the last 30 days: 2"]]


def test_no_reason_has_no_words(phrases):
    reasons = top_reasons(np.array(CONTRIBUTIONS), FEATURES, phrases, top=1)
    told = worded(reasons, np.ones((3, 5)), FEATURES, np.ones(5), phrases)
    assert told[2].tolist() == [None]


def test_a_habit_that_is_no_feature_is_refused(phrases):
    reasons = top_reasons(np.array([[1.0, 0]]), ("ev_30", "gap"), phrases, top=1)
    with pytest.raises(ValueError, match="usual is ev_180, which is no feature"):
        worded(reasons, np.ones((1, 2)), ("ev_30", "gap"), np.ones(2), phrases)


def test_top_reasons_are_those_of_a_slow_sort(phrases):
    chance = np.random.default_rng(3)
    contributions = chance.normal(size=(200, 5)).round(1)
    reasons = top_reasons(contributions, FEATURES, phrases, top=2)
    for row, found in zip(contributions, reasons.log_odds, strict=True):
        sums = sorted((row[0], row[1] + row[2], row[3]), reverse=True)[:2]
        np.testing.assert_allclose(found, [max(value, 0) for value in sums])
