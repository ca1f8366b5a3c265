"""The portrait of a month from its moments: effects by hand, shares of values, ranks, words."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from visitgrain.catalogue.churn_phrases import Phrase
from visitgrain.churn.portrait import _adjusted, portraits

COLUMNS = ["group", "feature", "n", "total", "squares", "effect_before"]
PHRASES = {"recency": Phrase(en="days since the last visit", zh="距上次访问天数")}
MOMENTS = [
    # ten of high with 3 and 5 alternating: mean 4, squares 5 x 9 + 5 x 25; forty others with 1 and 3: mean 2
    ["high", "recency", 10, 40.0, 170.0, 0.9],
    ["mid", "recency", 20, 40.0, 100.0, None],
    ["low", "recency", 20, 40.0, 100.0, None],
    # area is known of ten in high, of thirty others; nobody in high is in B
    ["high", "area", 10, 0.0, 0.0, None],
    ["high", "area=A", 0, 10.0, 10.0, None],
    ["mid", "area", 10, 0.0, 0.0, None],
    ["mid", "area=A", 0, 4.0, 4.0, None],
    ["mid", "area=B", 0, 6.0, 6.0, None],
    ["low", "area", 20, 0.0, 0.0, None],
    ["low", "area=A", 0, 11.0, 11.0, None],
    ["low", "area=B", 0, 9.0, 9.0, None],
    # nine have a value: too few
    ["high", "age", 9, 9.0, 9.0, None],
    ["low", "age", 20, 90.0, 900.0, None],
    # silent against stayed, not against tiers; a constant does not differ
    ["silent", "recency", 10, 50.0, 250.0, None],
    ["stayed", "recency", 10, 50.0, 250.0, None],
]


@pytest.fixture(scope="module")
def told() -> pd.DataFrame:
    return portraits(pd.DataFrame(MOMENTS, columns=COLUMNS), PHRASES).set_index(["group", "feature"])


def test_cohens_d_by_hand(told):
    row = told.loc[("high", "recency")]
    # squares about the own means: 170 - 10 x 16 = 10 and 200 - 40 x 4 = 40; pooled variance 50 / 48
    d = (4 - 2) / math.sqrt(50 / 48)
    assert (row["subscribers"], row["others"], row["mean"], row["mean_others"]) == (10, 40, 4, 2)
    assert row["effect"] == pytest.approx(d)
    error = math.sqrt(1 / 10 + 1 / 40 + d * d / (2 * 50))
    assert (row["effect_low"], row["effect_high"]) == pytest.approx((d - 1.959964 * error, d + 1.959964 * error))
    assert row["effect_before"] == 0.9
    assert math.isnan(told.loc[("mid", "recency")]["effect_before"])


def test_shares_of_a_value_are_of_those_with_any_and_nobody_is_a_share_of_0(told):
    a, b = told.loc[("high", "area=A")], told.loc[("high", "area=B")]
    assert (a["subscribers"], a["others"], a["mean"], a["mean_others"]) == (10, 30, 1.0, 0.5)
    assert (b["subscribers"], b["others"], b["mean"], b["mean_others"]) == (10, 30, 0.0, 0.5)
    # 30 x .5 x .5 = 7.5 within the others, nothing within high
    assert a["effect"] == pytest.approx(0.5 / math.sqrt(7.5 / 38))
    assert b["effect"] == pytest.approx(-0.5 / math.sqrt(7.5 / 38))


def test_who_is_compared_with_whom(told):
    assert set(told.index.get_level_values("group")) == {"high", "mid", "low", "silent"}
    assert ("high", "age") not in told.index
    assert "area" not in told.index.get_level_values("feature")
    silent = told.loc[("silent", "recency")]
    assert (silent["others"], silent["effect"], silent["p_adjusted"]) == (10, 0, 1)


def test_the_largest_effect_is_first_and_equals_go_by_name(told):
    ranks = told.loc["high"]["rank"].to_dict()
    assert ranks == {"recency": 1, "area=A": 2, "area=B": 3}


def test_words(told):
    row = told.loc[("high", "recency")]
    assert row["text"] == "days since the last visit: 4, others 2: much higher"
    assert row["text_zh"] == "距上次访问天数：4，其他人2：显著高"
    assert told.loc[("high", "area=B")]["text"] == "area=B: 0.0%, others 50.0%: much lower"


def test_nothing_to_compare_is_an_empty_portrait():
    assert len(portraits(pd.DataFrame(MOMENTS[:1], columns=COLUMNS), PHRASES)) == 0


def test_benjamini_hochberg():
    """p.adjust(c(.01, .04, .03, .005, .8), "BH") of R: 5 p / rank, from the largest down never rising."""
    assert _adjusted(np.array([0.01, 0.04, 0.03, 0.005, 0.8])) == pytest.approx([0.025, 0.05, 0.05, 0.025, 0.8])
    assert _adjusted(np.array([0.9, 0.6])) == pytest.approx([0.9, 0.9])
    assert _adjusted(np.array([])).tolist() == []
