"""What people read of a training on MLflow's pages: notes, cards, tables, pages. No Spark."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.unit.churn.training_world import small_experiment, small_training_data
from visitgrain.catalogue.catalogue import load_catalogue
from visitgrain.catalogue.churn import Tracking
from visitgrain.churn import figures, registry
from visitgrain.churn.cards import MEANING
from visitgrain.churn.mlflow_pages import COLOURS, VIEW_TAG, save_view
from visitgrain.churn.model_rows import feature_set
from visitgrain.churn.tracking import tracked
from visitgrain.runtime.settings import default_conf
from visitgrain.tables.churning import FEATURES

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow warns of itself when it is imported
LEARNERS = ("recency", "logistic")
VERSIONS = {"churn_features": 7, "subscriber_metrics": -1}  # the second one was never written


@pytest.fixture(scope="module")
def tracking(tmp_path_factory) -> Tracking:
    """Of one training, whose winner is `logistic`."""
    data = small_training_data()
    folder = tmp_path_factory.mktemp("mlflow")
    tracking = Tracking(uri=f"sqlite:///{folder}/mlflow.db", run_id="r1", lake="lake", versions=VERSIONS)
    about = {"label_channel": "app", "versions": VERSIONS, "counts": data.counts, "lake": "lake"}
    small_experiment(tracking, data, about, LEARNERS)
    return tracking


@pytest.fixture
def client(tracking):
    with tracked(tracking) as found:
        yield found


@pytest.fixture
def named(client) -> Callable[[str], Run]:
    """The run of that name."""
    runs = client.search_runs([client.get_experiment_by_name("churn").experiment_id])
    return {run.info.run_name: run for run in runs}.__getitem__


@pytest.fixture
def text_of(client, named, tmp_path) -> Callable[[str, str], str]:
    """An artifact of the run of that name."""

    def read(run: str, path: str) -> str:
        with open(client.download_artifacts(named(run).info.run_id, path, str(tmp_path)), encoding="utf-8") as file:
            return file.read()

    return read


def test_the_card_says_that_the_model_learnt_from_the_choosing_months_too(named, text_of):
    card = text_of("logistic 2026-01", "model_card.md")
    assert "learning from 1,750 rows of cut-offs 2025-01 to 2025-07 and comparing on 500 of 2025-08 to 2025-09" in card
    assert "- this model then learnt from both, 2,250 rows" in card
    assert "- tested once on 750 rows of cut-offs 2025-10 to 2025-12" in card
    assert named("logistic 2026-01").data.params["final_rows"] == "2250"


def test_a_table_that_was_never_written_is_no_data_set_and_has_no_version(named, text_of):
    for run in ("churn 2026-01", "logistic 2026-01"):
        assert [one.dataset.name for one in named(run).inputs.dataset_inputs] == ["churn_features"]
    assert "churn_features version 7, subscriber_metrics (not there yet)" in text_of(
        "logistic 2026-01", "model_card.md"
    )


def test_features_are_listed_with_what_they_mean(text_of):
    table = json.loads(text_of("logistic 2026-01", "tables/features.json"))
    assert table["columns"] == ["feature", "meaning", "definition"]
    assert table["data"][0] == ["recency", "days since the last active day", "definition of recency"]
    shipped = feature_set(load_catalogue(default_conf(), zone="UTC", visit_rules="default"))
    assert set(FEATURES) < set(shipped.names)
    assert shipped.meanings["dou_mb"] == "data used in the month (MB)"
    assert all(row["meaning"] for row in shipped.described())


def test_the_note_tells_the_outcome_first_then_what_decides_and_the_reasons_last(named):
    headline, links, head, _, recency, logistic, said, *reasons = [
        line for line in named("churn 2026-01").data.tags["mlflow.note.content"].splitlines() if line
    ]
    assert re.match(r"\*\*logistic 2026-01, AUC 0\.\d{3}, promoted\.\*\* Labels up to 2026-01; tested on", headline)
    assert links.startswith("[Compare the runs](#/compare-runs?runs=[%22")
    assert head.startswith("| learner | decides: log-loss before the test | AUC (95 %) |")
    assert head.count("|") == 7
    decides = named("logistic 2026-01").data.metrics["choosing_log_loss"]
    assert recency.startswith("| recency | 0.")
    assert logistic.startswith(f"| **logistic** | **{decides:.4f}** | **0.")
    assert said == "What speaks for it:"
    assert len(reasons) > 3
    assert all(line.startswith("- ") for line in reasons)


def test_the_page_stands_alone_and_marks_who_is_put_forward(text_of):
    page = text_of("churn 2026-01", "comparison.html")
    assert "<h1>churn 2026-01: learners compared</h1>" in page
    assert page.count('<tr class="best"><td class="text">logistic<br>') == page.count('<tr class="best">') == 1
    assert '<tr><td class="text">recency<br><small>days since the last active day, alone</small></td>' in page
    assert 'src="data:image/png;base64,' in page
    assert "href" not in page  # MLflow shows it in a frame that may not lead anywhere
    assert "MLflow: experiment churn, run churn 2026-01" in page


def test_lists_show_short_texts_and_the_description_has_them_all(client):
    version = registry.version(client, 1)
    first, *_ = reasons = [line[2:] for line in version.note.splitlines() if line.startswith("- ")]
    assert re.match(r"logistic 2026-01, AUC 0\.\d{3}, promoted\. ", version.note)
    assert version.tags["why"] == f"{first} (and {len(reasons) - 1} more, see the description)"
    assert version.journal[0].endswith(version.tags["why"])
    assert client.get_registered_model("churn").description.startswith("Probability that who was active")


def test_a_learner_says_what_it_is_and_how_it_does_and_the_parent_has_the_best_ones_auc(named):
    learner, parent = named("logistic 2026-01"), named("churn 2026-01")
    note = learner.data.tags["mlflow.note.content"]
    assert note.startswith("all features in a regularised logistic regression. AUC 0.")
    assert "model_card.md" in note
    assert parent.data.metrics == {"auc": learner.data.metrics["auc"]}


def view_of(client: MlflowClient) -> tuple[dict[str, Any], dict[str, Any]]:
    """The saved view of the experiment, and its state as MLflow's pages read it."""
    view = json.loads(client.get_experiment_by_name("churn").tags["mlflow.sharedViewState.learners"])
    packed = view["state"].removeprefix("deflate;")
    return view, json.loads(zlib.decompress(b64decode(packed)))


def test_the_experiment_has_a_view_of_its_learners_and_links_open_the_pages_for_training(client, named):
    view, state = view_of(client)
    assert set(view) == {"name", "createdAt", "updatedAt", "state"}
    assert view["name"] == "Learners by auc"
    assert (state["searchFilter"], state["orderByKey"], state["orderByAsc"]) == (
        'tags.kind = "learner"',
        "metrics.`auc`",
        False,
    )
    assert state["selectedColumns"][:3] == ["attributes.`Models`", "metrics.`choosing_log_loss`", "metrics.`auc`"]
    assert state["columnOrder"] == state["selectedColumns"]
    shown = {column.split("`")[1] for column in state["selectedColumns"][1:]}
    assert shown < set(named("logistic 2026-01").data.metrics)
    note = named("churn 2026-01").data.tags["mlflow.note.content"]
    assert note.count("workflowType=machine_learning") == 2
    assert "/runs?workflowType=machine_learning&viewStateShareKey=learners)" in note


def test_a_view_that_somebody_changed_stays(client):
    experiment_id = client.create_experiment("other")
    client.set_experiment_tag(experiment_id, VIEW_TAG, "ours")
    save_view(client, experiment_id, by="auc", columns=("auc",))
    assert client.get_experiment(experiment_id).tags[VIEW_TAG] == "ours"


def test_runs_name_their_job_and_learners_have_colours_of_their_own(named):
    runs = [named(f"{name} 2026-01") for name in ("churn", *LEARNERS)]
    assert {run.data.tags["mlflow.source.name"] for run in runs} == {"visitgrain run train_churn"}
    assert [run.data.tags.get("mlflow.runColor") for run in runs] == [None, COLOURS["recency"], COLOURS["logistic"]]
    assert set(COLOURS) == set(MEANING)
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_figures_say_what_they_show():
    rows = [
        {"learner": n, "auc": a, "auc_low": a - 0.1, "auc_high": a + 0.1} for n, a in (("worse", 0.6), ("best", 0.8))
    ]
    (compared,) = figures.comparison_plot(rows).axes
    assert [text.get_text() for text in compared.get_yticklabels()] == ["worse", "best"]  # from below
    (lift,) = figures.lift_by_decile([{"decile": n, "lift": 1.0} for n in range(1, 11)]).axes
    assert list(lift.get_xticks()) == list(range(1, 11))
    _, legend = figures.shap_summary(np.ones((4, 1)), np.arange(4.0).reshape(4, 1), ["recency"]).axes
    assert [text.get_text() for text in legend.get_yticklabels()] == ["low", "high"]
