"""Hazards from training to estimates, in a world whose weekly hazard is known: .02 to .4 by what `arpu_yuan` says."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import mlflow
import numpy as np
import pytest

from tests.table_rows import read_rows, rows_to_frame
from visitgrain.catalogue.catalogue import load_catalogue
from visitgrain.catalogue.churn import Tracking
from visitgrain.churn.hazard_scoring import estimate_hazards
from visitgrain.churn.hazard_training import train_hazards
from visitgrain.churn.mlflow_pages import VIEW_TAG
from visitgrain.errors import GateRefused
from visitgrain.span import Span
from visitgrain.tables.churning import CHURN_FEATURES
from visitgrain.tables.hazards import HAZARD_MODELS, SILENCE_HAZARDS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of MLflow, many kinds, as it loads

START, MONTHS, NEW = date(2025, 1, 1), 11, 60  # 60 subscribers begin in each month
FIRST = np.datetime64(START)
DECEMBER = Span(date(2025, 11, 1), date(2025, 11, 30))
HAZARDS = np.array([0.02, 0.1, 0.4])


def cut_off(month: int) -> int:
    """Days from START to the end of the month."""
    return (date(2025, month + 1, 1) - START).days


class World:
    """Who begins when, of which kind, and on which days they are active; a silence is for ever."""

    def __init__(self) -> None:
        chance = np.random.default_rng(5)
        people = NEW * MONTHS
        begin = np.repeat([cut_off(month) - 31 for month in range(1, MONTHS + 1)], NEW) + chance.integers(0, 28, people)
        self.kind = chance.integers(0, 3, people)
        days = np.ceil(chance.exponential(-7 / np.log1p(-HAZARDS[self.kind])))
        self.day = np.arange(cut_off(MONTHS))
        alive = (self.day >= begin[:, None]) & (self.day < (begin + days)[:, None])
        self.active = alive & (chance.random(alive.shape) < 0.7)

    def activity(self) -> list[tuple[int, date, str]]:
        return [
            (int(who) + 1, START + timedelta(int(day)), "app") for who, day in zip(*self.active.nonzero(), strict=True)
        ]

    def features(self) -> list[dict[str, object]]:
        zeros = read_rows(CHURN_FEATURES, "subscriber_id | gone | active\n1 | no | yes")[0]
        rows = []
        for month in range(1, MONTHS + 1):
            end, past = cut_off(month), self.active[:, : cut_off(month)]
            start = cut_off(month - 1) if month > 1 else 0
            for who in np.flatnonzero(past[:, start:].any(axis=1)).tolist():
                days = np.flatnonzero(past[who])
                counts = {f"day_{n}": float((days >= end - n).sum()) for n in (7, 30, 90, 180)}
                gaps = np.diff(days)
                gap = {"gap_mean": float(gaps.mean()), "gap_max": float(gaps.max())} if len(gaps) else {}
                ages = {"recency": end - 0.5 - int(days[-1]), "tenure": end - 0.5 - int(days[0])}
                own = {"subscriber_id": who + 1, "month": date(2025, month, 1), "arpu_yuan": float(self.kind[who])}
                rows.append({**zeros, **own, **counts, **gap, **ages})
        return rows


@pytest.fixture(scope="module")
def spec():
    conf = Path(__file__).parents[2] / "conf"
    whole = load_catalogue(conf, zone="Asia/Shanghai", visit_rules="default")
    return whole.model_copy(update={"churn": whole.churn.model_copy(update={"metric_windows": ()})})


@pytest.fixture(scope="module")
def inputs(spark):
    world = World()
    metrics = spark.createDataFrame([], "subscriber_id bigint, window string, window_end date")
    return {
        "churn_features": rows_to_frame(spark, CHURN_FEATURES, world.features()).persist(),
        "activity_days": spark.createDataFrame(world.activity(), "subscriber_id bigint, day date, channel string"),
        "subscriber_metrics": metrics,
    }


@pytest.fixture(scope="module")
def tracking(tmp_path_factory) -> Tracking:
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    return Tracking(uri=uri, run_id="r", lake="lake", versions={"activity_days": 1})


def scoring_inputs(inputs):
    november = inputs["churn_features"].where("month = '2025-11-01'")
    return {"churn_features": november, "subscriber_metrics": inputs["subscriber_metrics"]}


@pytest.fixture(scope="module")
def models(inputs, spec, tracking):
    with pytest.raises(GateRefused, match=r"no version of model 'silence_hazard'.*run train_hazards"):
        estimate_hazards(**scoring_inputs(inputs), spec=spec, span=DECEMBER, tracking=tracking)
    return train_hazards(**inputs, spec=spec, span=DECEMBER, tracking=tracking)


@pytest.fixture(scope="module")
def estimates(models, inputs, spec, tracking):
    rows = estimate_hazards(**scoring_inputs(inputs), spec=spec, span=DECEMBER, tracking=tracking)
    assert rows.columns == SILENCE_HAZARDS.column_names
    return rows.toPandas()


def test_models_are_told_and_the_better_one_registered(models, tracking):
    assert models.columns == HAZARD_MODELS.column_names
    rows = {row.learner: row for row in models.collect()}
    assert set(rows) == {"logistic", "lightgbm"}
    best = min(rows.values(), key=lambda row: row.choosing_log_loss)
    assert [row.version for row in rows.values()] == [1 if row is best else None for row in rows.values()]
    assert best.promoted, best.verdict
    assert best.c_index > 0.7
    assert best.brier_gain > 0.1
    client = mlflow.MlflowClient(tracking.uri)
    champion = client.get_model_version_by_alias("silence_hazard", "champion")
    assert champion.version == client.get_model_version_by_alias("silence_hazard", "challenger").version
    assert champion.description.startswith(f"{best.learner} 2025-11, promoted. Silences known by 2025-11; tested on")
    experiment = client.get_experiment_by_name("silence_hazard")
    assert "Learners by c_index" in experiment.tags[VIEW_TAG]
    sources = {run.data.tags["mlflow.source.name"] for run in client.search_runs([experiment.experiment_id])}
    assert sources == {"visitgrain run train_hazards"}


def test_estimates_are_those_of_the_world(estimates, inputs):
    """Those seen on the last day have begun no silence: their chances are those of their kind."""
    features = inputs["churn_features"].where("month = '2025-11-01'").toPandas()
    both = estimates.merge(features[["subscriber_id", "recency", "arpu_yuan"]], on="subscriber_id")
    assert len(both) == (features.recency < 28).sum()
    fresh = both[both.recency < 1].groupby("arpu_yuan")
    chance = fresh.p_silent_4w.mean().to_numpy()
    assert chance[:2] == pytest.approx(1 - (1 - HAZARDS[:2]) ** 4, abs=0.1)  # .08 and .34
    assert chance[2] > 0.6  # .87, of hardly a dozen who are still there
    assert (np.diff(fresh.expected_days.mean()) < 0).all()
    beyond = both.median_days.isna()
    assert beyond.any()
    assert (both.median_days[~beyond] < 7 * 12).all()
    assert set(estimates.model_version) == {1}


def test_change_moments_are_told_in_words(estimates):
    told = estimates.change_moment_reason
    assert (told.notna() == estimates.change_moment).all()
    assert told.dropna().str.match(r"(active days in the last|days since the last event)").all()
    assert 0 < estimates.change_moment.mean() < 0.5


def test_the_registered_model_can_be_served(models, estimates, inputs, tracking):
    mlflow.set_registry_uri(tracking.uri)
    served = mlflow.pyfunc.load_model("models:/silence_hazard@champion")
    names = served.metadata.get_input_schema().input_names()
    features = inputs["churn_features"].where("month = '2025-11-01' and recency < 28").toPandas()
    answer = served.predict(features[names].astype(float)).set_index(features.subscriber_id).sort_index()
    own = estimates.set_index("subscriber_id").sort_index()
    assert answer.expected_days.to_numpy() == pytest.approx(own.expected_days.to_numpy())
