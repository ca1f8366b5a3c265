"""A small lake, built once by the shipped pipeline from a simulated feed, for every test that only looks."""

from __future__ import annotations

from datetime import date

import pytest

MONTHS = (date(2026, 2, 1), date(2026, 3, 1))


@pytest.fixture(scope="session")
def small_world(spark, tmp_path_factory):
    """Context of a lake with 200 subscribers, February and March 2026, ingested and run through `monthly`."""
    from jobs import ingest_source
    from pipelines import monthly
    from tests.jobs.runtime_world import context
    from visitgrain.runtime.runner import run_pipeline
    from visitgrain.simulation import simulate
    from visitgrain.span import Span

    folder = tmp_path_factory.mktemp("small_world")
    feed = folder / "feed"
    simulate(spark, subscribers=200, start=MONTHS[0], end=date(2026, 3, 31), seed=7, out=feed)
    made = context(spark, folder / "lake", pseudonym_secret_file=folder / "secret")
    ingest_source.ingest(made, source="canonical", path=feed)
    for month in MONTHS:
        run_pipeline(monthly.PIPELINE, Span.month_of(month), made)
    return made
