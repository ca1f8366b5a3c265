"""A training as MLflow keeps it: runs, numbers, figures, the registered model, the gate's word. No Spark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from tests.unit.churn.training_world import NAMES, small_experiment, small_settings, small_training_data
from visitgrain.catalogue.churn import Tracking
from visitgrain.churn import registry
from visitgrain.churn.experiment import COMPARED
from visitgrain.churn.tracking import CHALLENGER, CHAMPION, HASH, MODEL, aliased, loaded, tracked, version_with
from visitgrain.churn.training import trained
from visitgrain.errors import ConfigError, GateRefused, InputMissing, UsageError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow warns of itself when it is imported
FIRST = ("recency", "logistic", "lightgbm")
DATA = small_training_data()
ABOUT = {"label_channel": "app", "versions": {"churn_features": 7}, "counts": DATA.counts, "lake": "lake"}


def run(tracking: Tracking, learners: tuple[str, ...], trials: int = 0) -> list[dict[str, Any]]:
    return small_experiment(tracking, DATA, ABOUT, learners, trials)


class Story(NamedTuple):
    """Three trainings: the first one, the same again, and one of a learner that is worse."""

    tracking: Tracking
    first: list[dict[str, Any]]
    same: list[dict[str, Any]]
    worse: list[dict[str, Any]]


def tracking_at(folder: Path) -> Tracking:
    return Tracking(uri=f"sqlite:///{folder}/mlflow.db", run_id="r1", lake="lake", versions={"churn_features": 7})


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    tracking = tracking_at(tmp_path_factory.mktemp("mlflow"))
    first = run(tracking, FIRST, trials=2)
    return Story(tracking, first, run(tracking, ("logistic",), trials=2), run(tracking, ("rfv_logistic",)))


@pytest.fixture
def client(story):
    with tracked(story.tracking) as found:
        yield found


def put_forward(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next(row for row in rows if row["version"] is not None)


def test_a_training_is_a_run_with_a_run_per_learner_inside_and_a_run_per_trial_in_those(story, client):
    runs = client.search_runs([client.get_experiment_by_name("churn").experiment_id])
    inside = {r.info.run_id: r for r in runs}
    learners = [inside[row["run_id"]] for row in story.first]
    parents = {one.data.tags["mlflow.parentRunId"] for one in learners}
    assert [one.info.run_name for one in learners] == [f"{name} 2026-01" for name in FIRST]
    assert len(parents) == 1
    parent = inside[parents.pop()]
    assert parent.info.run_name == "churn 2026-01"
    kinds = {"kind": "training", "month": "2026-01", "best": "logistic", "version": "1", "promoted": "True"}
    assert kinds.items() <= parent.data.tags.items()
    trials = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == learners[1].info.run_id]
    assert sorted(one.info.run_name for one in trials) == ["logistic trial 0", "logistic trial 1"]
    assert all("C" in one.data.params and "choosing_log_loss" in one.data.metrics for one in trials)
    assert "| **logistic** |" in parent.data.tags["mlflow.note.content"]
    assert "#/compare-runs?runs=[%22" in parent.data.tags["mlflow.note.content"]
    assert all(one.info.status == "FINISHED" for one in runs)


def test_each_learner_has_numbers_with_intervals_tables_figures_a_card_and_the_tables_it_read(story, client):
    for row in story.first:
        found = client.get_run(row["run_id"])
        numbers = found.data.metrics
        assert set(COMPARED) <= set(numbers)
        assert numbers["auc_low"] < numbers["auc"] < numbers["auc_high"]
        assert np.isfinite(list(numbers.values())).all()
        assert {"learner": row["learner"], "month": "2026-01", "kind": "learner"}.items() <= found.data.tags.items()
        assert found.data.params["train_rows"] == "1750"
        months = client.get_metric_history(row["run_id"], "auc_by_month")
        assert [one.step for one in months] == [2510, 2511, 2512]
        (read,) = found.inputs.dataset_inputs
        assert (read.dataset.name, read.dataset.digest) == ("churn_features", "version 7")
        names = {f"{f.path}" for part in ("", "figures", "tables") for f in client.list_artifacts(row["run_id"], part)}
        figures = ("reliability", "gains", "lift", "profit", "importance", "shap_summary", "learning_curve")
        assert {f"figures/{name}.png" for name in figures} <= names
        tables = ("deciles", "gains", "reliability", "profit", "tiers", "months", "slices", "importance", "features")
        assert {f"tables/{name}.json" for name in tables} | {"model_card.md"} <= names


def test_the_parent_compares_them_and_keeps_the_verdict(story, client):
    parent = client.get_run(story.first[0]["run_id"]).data.tags["mlflow.parentRunId"]
    names = {one.path for one in client.list_artifacts(parent)}
    expected = {"comparison.html", "comparison.png", "data.json", "left_out.json", "settings.json", "verdict.json"}
    assert names == expected


def test_the_registered_model_has_a_signature_an_example_and_pins_and_loads_without_pickle(story, client, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    model = mlflow.pyfunc.load_model("models:/churn@champion")
    assert tuple(model.metadata.signature.inputs.input_names()) == NAMES
    assert model.metadata.signature.outputs.input_names() == ["probability", "tier"]
    example = model.input_example
    assert example.shape == (5, len(NAMES))
    assert not (DATA.fitting.x == example.to_numpy()[2]).all(axis=1).any()  # the medians are nobody's row
    x = pd.DataFrame(DATA.testing.x, columns=list(NAMES))
    ours, version = aliased(client, CHAMPION)
    np.testing.assert_allclose(model.predict(x)["probability"], ours.score(DATA.testing.x), rtol=0, atol=1e-12)
    with pytest.raises(mlflow.MlflowException, match="missing inputs"):
        model.predict(x.drop(columns="recency"))
    assert version == "1"
    pins = Path(mlflow.artifacts.download_artifacts("models:/churn@champion/requirements.txt")).read_text()
    assert all("==" in line for line in pins.splitlines())
    assert {"lightgbm", "scikit-learn", "pyspark"} <= {line.split("==")[0] for line in pins.splitlines()}


def test_the_first_is_promoted_against_recency_the_same_again_and_a_worse_one_are_not(story, client):
    assert put_forward(story.first)["promoted"]
    assert "of the baseline recency: gain +" in put_forward(story.first)["verdict"]
    for rows, gain in ((story.same, r"gain \+0.0000"), (story.worse, "gain -")):
        refused = put_forward(rows)
        assert not refused["promoted"]
        assert "of the champion, version 1" in refused["verdict"]
        assert pd.Series([refused["verdict"]]).str.contains(gain).all()
    assert version_with(client, CHAMPION) == "1"
    assert version_with(client, CHALLENGER) == "3"
    told = registry.version(client, 3)
    assert (told.tags["promoted"], told.tags["learner"], told.tags["month"]) == ("False", "rfv_logistic", "2026-01")
    assert told.note.startswith("rfv_logistic 2026-01, AUC 0.")
    assert ", not promoted. Labels up to 2026-01;" in told.note
    assert "What the gate refuses it for:\n\n- AUC 0." in told.note


def test_a_model_scores_and_names_its_parts_the_same_when_it_is_trained_again():
    def scores() -> dict[str, np.ndarray]:
        found = trained(None, DATA, small_settings(), trials=0, about=ABOUT)
        return {one.name: one.evaluation.scores for one in found}

    once, again = scores(), scores()
    assert list(once) == ["recency", "rfv_logistic", "logistic", "lightgbm"]
    for name, values in once.items():
        np.testing.assert_allclose(values, again[name], rtol=0, atol=1e-12, err_msg=name)


def test_a_learner_that_needs_spark_says_so_without_rows():
    with pytest.raises(InputMissing, match="xgboost_spark trains in Spark"):
        next(trained(None, DATA, small_settings(learners=("xgboost_spark",)), trials=0, about=ABOUT))


def test_promotion_by_hand_and_roll_back_leave_a_journal_and_restore_the_same_scores(story, client):
    before = aliased(client, CHAMPION)[0].score(DATA.testing.x)
    registry.promote(client, 3, reason="fewer features", by="ann")
    assert registry.champions(client) == [1, 3]
    assert not np.allclose(aliased(client, CHAMPION)[0].score(DATA.testing.x), before)
    assert registry.rollback(client, reason="worse in the north", by="bob") == 1
    assert (aliased(client, CHAMPION)[0].score(DATA.testing.x) == before).all()
    assert registry.champions(client) == [1]
    assert [line.split(" ", 1)[1] for line in registry.version(client, 3).journal] == [
        "champion by ann: fewer features",
        "retired for 1 by bob, rolled back from 3: worse in the north",
    ]
    assert [line.split(" ")[1] for line in registry.version(client, 1).journal] == ["champion", "retired", "champion"]
    registry.rollback(client, 2, reason="asked for", by="bob")
    registry.promote(client, 3, reason="again", by="bob")
    assert registry.champions(client) == [1, 2, 3]
    assert registry.rollback(client, 1, reason="two steps", by="bob") == 1
    with pytest.raises(InputMissing, match="no version of model churn was champion before"):
        registry.rollback(client, reason="one more", by="bob")


@pytest.mark.parametrize(
    ("number", "reason", "told"),
    [
        (9, "why not", "no version 9; there are 1, 2, 3"),
        (1, "x", "is champion already"),
        (2, " ", "a reason is needed"),
    ],
)
def test_what_cannot_be_promoted(story, client, number, reason, told):
    with pytest.raises(UsageError, match=told):
        registry.promote(client, number, reason=reason, by="ann")
    assert version_with(client, CHAMPION) == "1"


def test_files_that_were_changed_or_lost_never_score(story, client):
    import mlflow

    path = Path(mlflow.artifacts.download_artifacts("models:/churn/2")) / "artifacts/model/churn_model.json"
    kept = path.read_text()
    try:
        path.write_text(kept.replace('"mid": 0.3', '"mid": 0.2'))
        with pytest.raises(GateRefused, match=f"not those that were registered .tag {HASH}"):
            loaded(client, "2")
        path.unlink()
        with pytest.raises(GateRefused, match="version 2"):
            registry.promote(client, 2, reason="try", by="ann")
    finally:
        path.write_text(kept)
    assert loaded(client, "2").features.names == NAMES
    assert version_with(client, CHAMPION) == "1"


def test_a_champion_with_a_feature_that_the_data_lost_is_judged_without_it_and_the_verdict_says_so(story, client):
    from visitgrain.churn.experiment import _opponent

    names = tuple(name for name in NAMES if name != "gap_mean")
    places = [NAMES.index(name) for name in names]
    parts = {
        part: replace(panel := getattr(DATA, part), features=names, x=panel.x[:, places])
        for part in ("learning", "testing")
    }
    _, told = _opponent(client, [], replace(DATA, features=DATA.features.only(names), **parts), MODEL)
    assert told == "champion, version 1 without gap_mean, which the data no longer have"


@pytest.mark.parametrize(
    ("uri", "error", "told"),
    [
        ("http://127.0.0.1:1", GateRefused, "MLflow at http://127.0.0.1:1 does not answer"),
        ("http://ann:hush@127.0.0.1:1", ConfigError, "http://…@127.0.0.1:1 carries a login"),
        ("sqlite:///{folder}/broken.db", GateRefused, "file is not a database"),
        ("sqlite:///{folder}/broken.db/mlflow.db", GateRefused, "does not answer"),
        ("postgresql://ann:hush@db/mlflow", ConfigError, "postgresql://…@db/mlflow; allowed"),
    ],
)
def test_a_registry_that_does_not_answer_refuses(tmp_path, monkeypatch, uri, error, told):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "broken.db").write_text("not a database " * 100)
    tracking = tracking_at(tmp_path).model_copy(update={"uri": uri.format(folder=tmp_path)})
    with pytest.raises(error, match=told) as caught, tracked(tracking):
        pass
    assert "hush" not in str(caught.value)
