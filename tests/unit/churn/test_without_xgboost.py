"""Where XGBoost is not installed: everything else works, and Spark ML's trees stand in for its Spark trainer."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.churn.training_world import small_settings, small_training_data
from visitgrain.churn.cards import MEANING
from visitgrain.churn.distributed import Distributed
from visitgrain.churn.learners import lightgbm
from visitgrain.churn.reporting import requirements
from visitgrain.churn.training import IN_SPARK, LOCAL, trained

DATA = small_training_data()
ABOUT = {"versions": {}}


class Rows:
    """Stands in for a DataFrame: the learner is a stand-in too."""

    def where(self, condition):
        return self


@pytest.fixture
def asked(monkeypatch):
    """Names of the learners that were to train in Spark, in order."""
    names: list[str] = []

    def standing_in(name):
        def fit(rows, features, choosing, *, seed):
            names.append(name)
            fitted = lightgbm(trees=5).fit(DATA.fitting)
            return Distributed(fitted, fitted, 0.0)

        return fit

    monkeypatch.setattr("visitgrain.churn.training.F.col", lambda name: Column())
    for name in IN_SPARK:
        monkeypatch.setitem(IN_SPARK, name, standing_in(name))
    return names


class Column:
    def isin(self, *months):
        return self


def names_of(*learners):
    settings = small_settings(learners=learners)
    return [one.name for one in trained(Rows(), DATA, settings, trials=0, about=ABOUT)]


def test_each_learner_in_spark_is_the_one_that_was_asked_for(asked, caplog):
    assert names_of("gbt_spark", "xgboost_spark") == ["gbt_spark", "xgboost_spark"]
    assert asked == ["gbt_spark", "xgboost_spark"]
    assert not caplog.records


def test_spark_mls_trees_stand_in_once_and_it_is_told(asked, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    assert names_of("recency", "xgboost_spark", "gbt_spark") == ["recency", "gbt_spark"]
    assert asked == ["gbt_spark"]
    assert "xgboost_spark is not possible, xgboost is not installed; gbt_spark instead" in caplog.text


def test_a_model_does_not_ask_for_what_is_not_there(monkeypatch):
    assert any(pin.startswith("xgboost-cpu==") for pin in requirements())
    monkeypatch.setitem(sys.modules, "xgboost", None)
    assert not any(pin.startswith("xgboost") for pin in requirements())
    assert any(pin.startswith("lightgbm==") for pin in requirements())


@pytest.mark.slow
def test_nothing_imports_xgboost_before_it_is_used():
    script = "import sys; sys.modules['xgboost'] = None; import visitgrain.churn.training"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_learner_is_told_in_words():
    assert set(MEANING) == {*LOCAL, *IN_SPARK}
