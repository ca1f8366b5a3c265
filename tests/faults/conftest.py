"""One small lake, ingested once, that every fault gets a copy of."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest

from tests.faults.chain import Held, copy, held
from tests.faults.command import DAILY, Command

FIRST, LAST = date(2026, 2, 15), date(2026, 3, 6)


@pytest.fixture(scope="session")
def world(spark, tmp_path_factory) -> Path:
    """A folder with a feed of 40 subscribers and 20 days, and `lake`, into which it was ingested."""
    from jobs import ingest_source
    from tests.jobs.runtime_world import context
    from visitgrain.simulation import simulate

    folder = tmp_path_factory.mktemp("faults")
    simulate(spark, subscribers=40, start=FIRST, end=LAST, seed=7, out=folder / "feed")
    made = context(spark, folder / "lake", pseudonym_secret_file=folder / "secret")
    ingest_source.ingest(made, source="canonical", path=folder / "feed")
    return folder


@pytest.fixture(scope="session")
def undisturbed(world, tmp_path_factory) -> tuple[Held, float]:
    """What the daily chain makes of the small lake, and in how many seconds."""
    lake = copy(world / "lake", tmp_path_factory.mktemp("undisturbed") / "lake")
    began = time.monotonic()
    code, said = Command(world, lake, *DAILY).end()
    assert code == 0, said
    return held(lake), time.monotonic() - began
