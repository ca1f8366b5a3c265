"""Scoring of Arrow batches without Spark: what a worker does, and what is refused before one starts."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.churn.models import model_of
from tests.unit.churn.silence import small_panel
from visitgrain.arrow.shuffle import tables_in
from visitgrain.catalogue.churn_phrases import Habit, Phrase
from visitgrain.churn import learners
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.scored_rows import TOP, held, lists, matrix, told_by
from visitgrain.churn.scoring import check_features
from visitgrain.churn.tiers import TIERS
from visitgrain.errors import GateRefused

PANEL = small_panel(300)
NAMES = PANEL.features
PHRASES = {
    "recency": Phrase(en="days since the last visit", zh="距上次访问", worse="high", usual=Habit(feature="gap")),
    "visits": Phrase(en="visits", zh="访问次数", worse="low", usual=Habit(feature="ev_180")),
    "gap": Phrase(en="days between visits", zh="访问间隔"),
    "moy": Phrase(en="month", zh="月份"),
}
LEARNERS = {
    "lightgbm": learners.lightgbm(trees=20, min_data_in_leaf=10),
    "xgboost": learners.xgboost(trees=20),
    "logistic": learners.logistic(),
}


class Sent:
    """As a broadcast."""

    def __init__(self, model, folder) -> None:
        model.save(folder)
        self.value = tuple(sorted((path.name, path.read_bytes()) for path in folder.iterdir()))


def table_of(x: np.ndarray) -> pa.Table:
    columns = {"subscriber_id": pa.array(range(len(x)), pa.int64()), "month": pa.array([date(2025, 6, 1)] * len(x))}
    columns |= {name: pa.array(x[:, place], from_pandas=True) for place, name in enumerate(NAMES)}  # nan -> null
    return pa.table(columns)


@pytest.mark.parametrize("name", LEARNERS)
def test_rows_are_scored_alike_in_any_batches(name, tmp_path):
    model = model_of(LEARNERS[name], PANEL)
    sent, table = Sent(model, tmp_path), table_of(PANEL.x)
    empty = table.slice(0, 0)

    def scored(size: int) -> pa.Table:
        parts = [empty, *(table.slice(start, size) for start in range(0, len(table), size)), empty]
        batches = held(iter(parts), rows=iter, sent=sent, phrases=told_by(NAMES, PHRASES), explained=TIERS)
        return pa.concat_tables(tables_in(batches)).combine_chunks()

    whole = scored(1000)
    assert whole.equals(scored(7))
    probability = whole["probability"].to_numpy()
    np.testing.assert_allclose(probability, model.score(PANEL.x), rtol=0, atol=1e-12)
    tiers = ["low" if p < 0.3 else "mid" if p < 0.6 else "high" for p in probability]
    assert whole["tier"].to_pylist() == tiers
    assert whole["subscriber_id"].to_pylist() == list(range(len(PANEL)))
    en, zh, features = (whole[column].to_pylist() for column in ("reasons", "reasons_zh", "reason_features"))
    assert [list(map(len, lists)) for lists in (en, zh)] == [[len(told) for told in features]] * 2
    assert max(map(len, features)) <= min(TOP, 3)
    assert {name for told in features for name in told} == {"recency", "visits", "gap"}


def test_nobody_is_nobody(tmp_path):
    sent = Sent(model_of(LEARNERS["logistic"], PANEL), tmp_path)
    assert list(held(iter([]), rows=iter, sent=sent, phrases={}, explained=TIERS)) == []


def test_missing_is_nan_and_infinite_is_refused():
    batch = pa.RecordBatch.from_pydict({"b": [1.0, None], "a": pa.array([np.nan, 4.0]), "c": [np.inf, 0.0]})
    np.testing.assert_array_equal(matrix(batch, ["a", "b"]), [[np.nan, 1], [4, np.nan]])
    assert matrix(batch.slice(0, 0), ["a", "b"]).shape == (0, 2)
    with pytest.raises(ValueError, match="infinite: c; missing is null"):
        matrix(batch, ["a", "c"])


def test_a_habit_that_the_model_lacks_is_not_told():
    told = told_by(NAMES, PHRASES)
    assert list(told) == ["recency", "visits", "gap"]  # moy is no feature of the model
    assert told["recency"].usual == Habit(feature="gap")
    assert told["visits"].usual is None


def test_lists_leave_out_what_is_none():
    words = np.array([["a", None, "b"], [None, None, None], ["c", "d", "e"]], dtype=object)
    told = np.array([True, False, True, True])  # the second row of four gets no reasons
    assert lists(words, told).to_pylist() == [["a", "b"], [], [], ["c", "d", "e"]]
    assert lists(words[:0], told[:0]).to_pylist() == []


WANTED = FeatureSet({"recency": "r1", "visits": "v1"})


def test_features_that_fit_are_taken_whatever_else_is_there():
    there = FeatureSet({"visits": "v1", "recency": "r1", "new": "n1"})
    check_features(WANTED, there, {"visits": "double", "new": "int", "recency": "double"}, "3")


@pytest.mark.parametrize(
    ("there", "types", "told"),
    [
        ({"recency": "r1"}, {"recency": "double"}, "visits is not there"),
        ({"recency": "r1", "visit": "v1"}, {"recency": "double", "visit": "double"}, "visits is not there"),
        ({"recency": "r1", "visits": "v1"}, {"recency": "double", "visits": "int"}, "visits is int, not"),
        ({"recency": "r1", "visits": "v2"}, {"recency": "double", "visits": "double"}, "visits is defined in"),
    ],
    ids=["missing", "renamed", "retyped", "redefined"],
)
def test_features_that_do_not_fit_are_refused(there, types, told):
    with pytest.raises(GateRefused, match=rf"version 3 does not fit the features: {told}.*Nothing was changed"):
        check_features(WANTED, FeatureSet(there), types, "3")
