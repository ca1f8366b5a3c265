"""A process killed at any point of a job's life: the same command again, and every table is what it would have been.

Each pipeline runs once, undisturbed, and leaves an image of the lake at every fail-point of every job: what is on disk
there is what SIGKILL leaves. From each image of a job that job is run again; the ingest and the whole daily chain,
which take half a minute, from every third image, from each with --kills 100. Real kills are in test_kills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from jobs import ingest_source
from pipelines import churn_scoring, daily, daily_metrics, monthly, monthly_churn, monthly_metrics, monthly_value
from tests.faults.chain import Image, assert_rerun_is_same, copy, held, images_of
from tests.jobs.runtime_world import context
from tests.jobs.test_churn_scoring import made  # noqa: F401  # a lake with habits, labels and a champion, as a fixture
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job
from visitgrain.runtime.planning import State
from visitgrain.runtime.runner import run_job, run_pipeline
from visitgrain.span import Span

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore")]  # of MLflow, about itself

OF_A_JOB = {"before-stage", "after-stage", "before-receipt", "before-ledger"}
DAYS = Span(date(2026, 3, 1), date(2026, 3, 3))
FEBRUARY, MARCH = Span.month_of(date(2026, 2, 1)), Span.month_of(date(2026, 3, 1))


@pytest.fixture(scope="module")
def opened(spark, world) -> Callable[[Path], Context]:
    return lambda root: context(spark, root, pseudonym_secret_file=world / "secret")


@pytest.fixture(scope="module")
def months(world, opened, tmp_path_factory) -> Path:
    """A lake through February and its metrics; every job below has history to read."""
    root = copy(world / "lake", tmp_path_factory.mktemp("months") / "lake")
    for pipeline in (monthly, monthly_metrics, monthly_churn, monthly_value):
        run_pipeline(pipeline.PIPELINE, FEBRUARY, opened(root))
    return root


@pytest.fixture(scope="module")
def some(request) -> Callable[[list[Image]], list[Image]]:
    """Every third image, or all of them."""
    return lambda images: images if request.config.getoption("--kills") >= 100 else images[::3]


def test_ingest_again_after_a_kill_at_any_commit(world, opened, some, tmp_path, monkeypatch):
    def ingest(root: Path) -> None:
        ingest_source.ingest(opened(root), source="canonical", path=world / "feed")

    lake = tmp_path / "lake"
    lake.mkdir()
    with images_of(lake, tmp_path, monkeypatch) as images:
        ingest(lake)
    expected = held(lake)
    assert Counter(image.point for image in images)["before-receipt"] >= 6  # tables, manifest, ledger
    for image in some(images):
        assert_rerun_is_same(image, ingest, expected)


def test_the_daily_chain_again_after_a_kill_at_any_point_of_any_job(world, opened, some, tmp_path, monkeypatch):
    lake = copy(world / "lake", tmp_path / "lake")
    with images_of(lake, tmp_path, monkeypatch) as images:
        run_pipeline(daily.PIPELINE, DAYS, opened(lake))
    expected, points = held(lake), Counter(image.point for image in images)
    assert {*points} == {*OF_A_JOB, "between-commits", "before-publish"}
    assert points["before-stage"] == points["before-ledger"] == len(daily.PIPELINE.jobs)
    for image in some(images):
        assert_rerun_is_same(image, lambda root: run_pipeline(daily.PIPELINE, DAYS, opened(root)), expected)


@pytest.mark.parametrize(
    ("pipeline", "span"),
    [
        (monthly.PIPELINE, MARCH),
        (monthly_metrics.PIPELINE, MARCH),
        (monthly_churn.PIPELINE, MARCH),
        (monthly_value.PIPELINE, MARCH),
        (daily_metrics.PIPELINE, DAYS),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_each_job_again_after_a_kill_at_any_of_its_points(months, opened, tmp_path, monkeypatch, pipeline, span):
    """Job after job in the order of the pipeline, upon what the jobs before made."""
    for job in pipeline.jobs:
        if pipeline is daily_metrics.PIPELINE and job in monthly_metrics.PIPELINE.jobs:
            run_job(job, span, opened(months))
        else:
            _job_again(job, span, months, opened, tmp_path / job.name, monkeypatch)


def test_each_job_of_scoring_again_after_a_kill_at_any_of_its_points(spark, made, tmp_path, monkeypatch):  # noqa: F811
    """The champion is outside of the lake: a rerun scores by the same one."""

    def opened(root: Path) -> Context:
        return context(spark, root, mlflow_uri=made.settings.mlflow_uri)

    lake = made.lake.store.local_path()
    for job in churn_scoring.PIPELINE.jobs:
        _job_again(job, FEBRUARY, lake, opened, tmp_path / job.name, monkeypatch)
    assert held(lake)


def _job_again(
    job: Job,
    span: Span,
    lake: Path,
    opened: Callable[[Path], Context],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for run in [span] if job.grain == "day" else span.periods("month"):
        with images_of(lake, folder, monkeypatch) as images:
            run_job(job, run, opened(lake))
        expected = held(lake)
        assert {image.point for image in images} >= OF_A_JOB - {"before-receipt"}
        for image in images:
            assert_rerun_is_same(image, lambda root, run=run: run_job(job, run, opened(root)), expected)
        assert all(opened(lake).book.state(job, period) == State.COMPLETE for period in run.periods(job.grain))
