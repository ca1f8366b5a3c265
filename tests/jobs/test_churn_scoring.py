"""February and March of 120 subscribers by a small champion: scores, portrait, monitoring, and what is refused."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from jobs import monitor_churn, score_churn
from pipelines import churn_scoring
from tests.jobs.runtime_world import context
from tests.table_rows import rows_to_frame
from tests.unit.churn.models import model_of
from visitgrain.churn import learners, tracking
from visitgrain.churn.model_rows import FeatureSet, feature_set
from visitgrain.churn.panel import panel_of
from visitgrain.churn.quality import auc
from visitgrain.churn.reporting import SERVED
from visitgrain.errors import GateRefused, InputMissing
from visitgrain.runtime.runner import run_job, run_pipeline
from visitgrain.span import Span
from visitgrain.tables.churning import CHURN_FEATURES, CHURN_LABELS, CHURN_MONITORING, CHURN_PORTRAITS, CHURN_SCORES

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow, about itself
JANUARY, FEBRUARY, MARCH, APRIL, MAY = (Span.month_of(date(2026, month, 1)) for month in range(1, 6))
NAMES = ("recency", "ev_30", "day_30", "gap_mean")
PEOPLE, GONE, SILENT_ALREADY = 120, 120, 121  # subscribers 0 to 119 are scored


def habits(month: int) -> np.ndarray:
    """(subscribers, NAMES): other days each month, none has a gap who was here on one day only."""
    chance = np.random.default_rng(month)
    recency, days = chance.uniform(0, 30, PEOPLE), chance.integers(1, 13, PEOPLE)
    return np.column_stack([recency, 3.0 * days, days, np.where(days == 1, np.nan, 30 / days)])


def silent_after(month: int) -> np.ndarray:
    """Who was away for long, and one in seven of the others."""
    return (habits(month)[:, 0] > 20) | (np.arange(PEOPLE) % 7 == month % 7)


def zeros(table):
    return {column.name: None if column.nullable else False for column in table.columns}


def features_of(month: Span, x: np.ndarray) -> list[dict]:
    seen = {"month": month.month, "known_through": np.datetime64("2026-01-01T00:00").item(), "active": True}
    fixed = zeros(CHURN_FEATURES) | seen
    rows = [
        {**fixed, "subscriber_id": who, "main_channel": "app" if who % 2 else "web"}
        | {name: None if np.isnan(value) else float(value) for name, value in zip(NAMES, values, strict=True)}
        for who, values in enumerate(x)
    ]
    away = [{**rows[0], "subscriber_id": GONE, "gone": True}, {**rows[0], "subscriber_id": SILENT_ALREADY}]
    away[1]["active"] = False
    return rows + away


def labels_of(month: Span, silent: np.ndarray) -> list[dict]:
    fixed = zeros(CHURN_LABELS) | {"month": month.month, "active": True}
    return [{**fixed, "subscriber_id": who, "silent": bool(is_)} for who, is_ in enumerate(silent)]


@pytest.fixture(scope="module")
def made(spark, tmp_path_factory):
    """A lake with features and labels, and a registry whose champion learnt from January."""
    folder = tmp_path_factory.mktemp("churn")
    made = context(spark, folder / "lake", mlflow_uri=f"sqlite:///{folder}/mlflow.db")
    strange = np.column_stack([np.full(PEOPLE, 29.5), np.ones(PEOPLE), np.ones(PEOPLE), np.full(PEOPLE, np.nan)])
    months = [(FEBRUARY, habits(2)), (MARCH, habits(3)), (APRIL, strange)]
    rows = [row for month, x in months for row in features_of(month, x)]
    made.lake.replace(CHURN_FEATURES, rows_to_frame(spark, CHURN_FEATURES, rows), window=None, run_id="r")
    labels = labels_of(MARCH, silent_after(2))
    made.lake.replace(CHURN_LABELS, rows_to_frame(spark, CHURN_LABELS, labels), window=None, run_id="r")
    register(made, champion(made))
    return made


def champion(made):
    panel = panel_of(NAMES, habits(1), silent_after(1), ["2026-01"] * PEOPLE, range(PEOPLE))
    test = {"auc": 0.9, "ece": 0.02, "base_rate": 0.4}
    learner = learners.lightgbm(trees=20, min_data_in_leaf=15, num_leaves=4)
    defined = feature_set(made.catalogue).definitions
    features = FeatureSet({name: defined[name] for name in NAMES})
    return model_of(learner, panel, features, test=test, counts={"2026-01-01": {"rows": PEOPLE, "silent": 50}})


def register(made, model) -> None:
    import mlflow

    folder = made.lake.store.local_path("model")
    model.save(folder)
    with tracking.tracked(made.tracking(score_churn.JOB)) as client, mlflow.start_run():
        served = {"name": "m", "python_model": str(SERVED), "artifacts": {"model": str(folder)}}
        info = mlflow.pyfunc.log_model(**served, pip_requirements=["mlflow"])
        version = tracking.registered(client, info.model_uri, "a test", {"learner": "lightgbm"})
        client.set_registered_model_alias(tracking.MODEL, tracking.CHAMPION, version)


@pytest.fixture(scope="module")
def lake(made):
    for month in (FEBRUARY, MARCH):
        run_pipeline(churn_scoring.PIPELINE, month, made)
    return made.lake


def scores(lake, month: Span) -> list:
    return lake.read(CHURN_SCORES, (month.month, month.month)).orderBy("subscriber_id").collect()


@pytest.mark.parametrize(("month", "number"), [(FEBRUARY, 2), (MARCH, 3)])
def test_everybody_who_may_go_silent_has_one_score_as_in_one_process(made, lake, month, number):
    rows, model = scores(lake, month), champion(made)
    assert [row.subscriber_id for row in rows] == list(range(PEOPLE))
    p = np.array([row.probability for row in rows])
    np.testing.assert_allclose(p, model.score(habits(number)), rtol=0, atol=1e-12)
    assert [row["rank"] for row in rows] == [1 + int((p > one).sum()) for one in p]
    assert [row.tier for row in rows] == ["low" if one < 0.3 else "mid" if one < 0.6 else "high" for one in p]
    assert {(row.model_version, row.feature_hash, row.run_id) for row in rows} == {
        (1, model.features.hash, made.run_id)
    }


def test_reasons_are_told_in_both_languages(lake):
    rows = scores(lake, MARCH)
    assert all(len(row.reasons) == len(row.reasons_zh) == len(row.reason_features) <= 5 for row in rows)
    riskiest = min(rows, key=lambda row: (row["rank"], row.subscriber_id))
    assert riskiest.reason_features[0] == "recency"
    assert riskiest.reasons[0].startswith("days since the last visit: ")
    assert riskiest.reasons_zh[0].startswith("距上次访问天数：")


def test_portrait(lake):
    rows = lake.read(CHURN_PORTRAITS, (MARCH.month, MARCH.month)).collect()
    found = {(row.group, row.feature): row for row in rows}
    tiers = np.array([row.tier for row in scores(lake, MARCH)])
    recency = habits(3)[:, 0]
    high = found["high", "recency"]
    assert (high.subscribers, high.others) == ((tiers == "high").sum(), (tiers != "high").sum())
    assert high["mean"] == pytest.approx(recency[tiers == "high"].mean())
    assert high.effect_before is not None  # February's portrait was made before
    silent = found["silent", "recency"]  # by labels of March, habits of February
    assert silent.subscribers == silent_after(2).sum()
    assert silent["mean"] == pytest.approx(habits(2)[silent_after(2), 0].mean())
    share = found["silent", "main_channel=app"]
    assert share["mean"] == pytest.approx((np.flatnonzero(silent_after(2)) % 2).mean())
    assert {row.month for row in rows} == {MARCH.month}


def test_monitoring(lake):
    rows = lake.read(CHURN_MONITORING).collect()
    february = {(row.check, row.subject): row for row in rows if row.month == FEBRUARY.month}
    march = {(row.check, row.subject): row for row in rows if row.month == MARCH.month}
    assert {check for check, _ in february} == {"psi", "nulls", "model_age"}  # January is what the model knew
    p = [row.probability for row in scores(lake, FEBRUARY)]
    assert march["auc", "score"].value == pytest.approx(auc(silent_after(2), p))
    assert (march["auc", "score"].reference, march["auc", "score"].limit) == pytest.approx((0.9, 0.87))
    assert march["base_rate", "score"].value == pytest.approx(silent_after(2).mean())
    assert march["nulls", "gap_mean"].value == pytest.approx(np.isnan(habits(3)[:, 3]).mean())
    assert {subject for check, subject in march if check == "psi"} == {*NAMES, "score"}
    assert march["psi", "recency"].status == "ok"
    assert (march["model_age", "score"].value, march["model_age", "score"].limit) == (1, 3)
    assert len({row.retrain for row in march.values()}) == 1


def test_a_month_of_another_kind_is_not_published_but_told_of(made, lake):
    with pytest.raises(GateRefused, match=r"scores of 2026-04 by model version 1 have drifted"):
        run_job(score_churn.JOB, APRIL, made)
    assert scores(lake, APRIL) == []
    run_job(monitor_churn.JOB, APRIL, made)
    rows = {(r.check, r.subject): r for r in lake.read(CHURN_MONITORING, (APRIL.month, APRIL.month)).collect()}
    assert (rows["psi", "recency"].status, rows["nulls", "gap_mean"].status) == ("alert", "alert")
    assert all(row.retrain and row.model_version == 1 for row in rows.values())


def test_a_month_without_anybody_is_refused(made):
    with pytest.raises(InputMissing, match="nobody to score in 2026-05"):
        run_job(score_churn.JOB, MAY, made)


def test_without_a_registry_yesterdays_scores_stay(spark, made, lake, monkeypatch):
    before = lake.version(CHURN_SCORES)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(GateRefused, match="does not answer"):
        run_job(score_churn.JOB, MARCH, context(spark, made.settings.lake, mlflow_uri="http://127.0.0.1:9"))
    assert lake.version(CHURN_SCORES) == before


def test_without_a_champion_yesterdays_scores_stay(made, lake):
    before = lake.version(CHURN_SCORES)
    with tracking.tracked(made.tracking(score_churn.JOB)) as client:
        client.delete_registered_model_alias(tracking.MODEL, tracking.CHAMPION)
        try:
            with pytest.raises(GateRefused, match=r"alias champion\. Run train_churn"):
                run_job(score_churn.JOB, MARCH, made)
        finally:
            client.set_registered_model_alias(tracking.MODEL, tracking.CHAMPION, "1")
    assert lake.version(CHURN_SCORES) == before


def test_an_altered_model_is_refused(made, lake):
    folder = made.lake.store.local_path("..").resolve() / "mlartifacts"
    (file,) = [path for path in folder.rglob("churn_model.json") if "models" in path.parts]
    honest = file.read_text(encoding="utf-8")
    file.write_text(honest.replace('"mid": 0.3', '"mid": 0.1'), encoding="utf-8")
    try:
        with pytest.raises(GateRefused, match="not those that were registered"):
            run_job(score_churn.JOB, MARCH, made)
    finally:
        file.write_text(honest, encoding="utf-8")
