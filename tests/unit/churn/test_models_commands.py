"""`visitgrain models` over a registry of two versions: no Spark, no JVM."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pyspark import SparkContext

from tests.unit.churn.training_world import small_settings, small_training_data
from visitgrain.catalogue.churn import Tracking
from visitgrain.churn import registry
from visitgrain.churn.reporting import log_trained
from visitgrain.churn.tracking import registered, tracked
from visitgrain.churn.training import trained
from visitgrain.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
REFUSED = "AUC 0.8000 against 0.8100 of the champion, version 1: gain -0.0100" + " and so on" * 20


@pytest.fixture(scope="module")
def uri(tmp_path_factory) -> str:
    """Version 1 is champion, version 2 was refused."""
    data = small_training_data()
    about = {"label_channel": "app", "versions": {"churn_features": 7}, "counts": data.counts, "lake": "lake"}
    tracking = Tracking(
        uri=f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db", run_id="r", lake="l", versions={}
    )
    with tracked(tracking) as client:
        import mlflow

        (one,) = trained(None, data, small_settings(learners=("logistic",)), trials=0, about=about)
        with mlflow.start_run(run_name="one"):
            model = log_trained(one, data, {"month": "2026-01"})
        first = {"learner": "logistic", "month": "2026-01", "auc": 0.81, "promoted": True, "why": "better"}
        registered(client, model, "Promoted to champion: better", first)
        registry.promote(client, 1, reason="better", by="the gate in run r")
        second = {"learner": "logistic", "month": "2026-02", "auc": 0.8, "promoted": False, "why": REFUSED}
        registered(client, model, f"Not promoted: {REFUSED}", second)
    return tracking.uri


@pytest.fixture
def call(uri, capsys):
    """Exit code and output of a command."""

    def called(*arguments: str, at: str = uri) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(["--set", f"mlflow_uri={at}", "models", *arguments])
        told = capsys.readouterr()
        return left.value.code, told.out + told.err

    return called


def test_list_names_versions_their_aliases_and_what_the_gate_said(call):
    code, told = call("list")
    header, second, first = told.splitlines()
    assert code == 0
    assert header.split() == ["version", "aliases", "learner", "month", "AUC", "promoted", "why"]
    assert second.startswith("2        challenger  logistic  2026-02  0.8   no        AUC 0.8000 against")
    assert second.endswith("…")
    assert first.split() == ["1", "champion", "logistic", "2026-01", "0.81", "yes", "better"]


def test_show_prints_the_note_the_journal_and_the_card(call):
    code, told = call("show", "1")
    assert code == 0
    assert told.startswith("version 1, aliases champion, run ")
    for part in ("Promoted to champion: better", "champion by the gate in run r: better", "# Churn model: logistic"):
        assert part in told


def test_roll_back_goes_to_the_former_champion_within_seconds(call, uri):
    assert call("promote", "2", "--reason", "a campaign in the north", "--by", "ann") == (
        0,
        "version 2 is champion of churn; the next run that scores uses it\n",
    )
    began = time.monotonic()
    code, told = call("rollback", "--reason", "scores drift", "--by", "bob")
    assert (code, told) == (0, "version 1 is champion of churn again; the next run that scores uses it\n")
    assert time.monotonic() - began < 10
    assert "retired for 1 by bob, rolled back from 2: scores drift" in call("show", "2")[1]
    code, told = call("rollback", "--reason", "once more")
    assert (code, told) == (
        4,
        "error: no version of model churn was champion before; `visitgrain models list` has them all\n",
    )


def test_an_alias_that_was_moved_in_mlflow_counts_as_a_move(call, uri):
    with tracked(Tracking(uri=uri, run_id="r", lake="l", versions={})) as client:
        client.set_registered_model_alias("churn", "champion", "2")
        assert registry.champions(client) == [1, 2]
    assert call("rollback", "--reason", "who did that")[1].startswith("version 1 is champion of churn again")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("rollback", "--to", "7", "--reason", "x"), 2, "error: model churn has no version 7; there are 1, 2"),
        (("rollback", "--to", "1", "--reason", "x"), 2, "error: version 1 is champion already"),
        (("rollback",), 2, "Missing option '--reason'"),
        (("promote", "2", "--reason", " "), 2, "error: a reason is needed"),
        (("show", "7"), 2, "there are 1, 2"),
    ],
)
def test_what_is_refused_changes_nothing(call, arguments, code, told):
    got, words = call(*arguments)
    assert got == code
    assert told in words
    assert "champion" in call("list")[1].splitlines()[2].split()


def test_an_empty_registry_says_how_a_model_comes_about(call, tmp_path: Path):
    code, told = call("list", at=f"sqlite:///{tmp_path}/mlflow.db")
    assert (code, told) == (
        0,
        "no version yet; `visitgrain run train_churn --month M` trains and registers one\n",
    )
    code, told = call("rollback", "--reason", "x", at=f"sqlite:///{tmp_path}/mlflow.db")
    assert code == 4


@pytest.fixture(scope="module", autouse=True)
def gateway() -> object:
    """To the JVM, as it was before the first of these tests: other modules may have started one."""
    return SparkContext._gateway


def test_no_jvm_was_started(gateway):
    assert SparkContext._gateway is gateway
