"""One small SparkSession for the whole test process; everything else is plain data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
PROPERTY_SCALE = int(os.environ.get("PROPERTY_SCALE", "1"))  # `make test-property` tries ten times as many examples


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", action="store_true", help="Run kills, corruptions and clusters, too.")
    parser.addoption("--kills", type=int, default=3, help="Random kills of the daily chain; 100 before a release.")
    parser.addoption("--s3-jars", metavar="DIR", help="Jars for a lake on S3; scripts/fetch_s3_jars.py fetches them.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make test-fast` leaves out what uses the `spark` fixture, by itself or through another, and what takes long."""
    for item in items:
        if item.get_closest_marker("faults") and not config.getoption("--faults"):
            item.add_marker(pytest.mark.skip(reason="only with --faults: `make test-faults`"))
        if item.path.parent.name in ("property", "oracles"):
            item.add_marker("slow")
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker("spark")


def small_session(scratch: Path):
    """Two cores, one shuffle partition, no UI, small Delta snapshots: trivial runs stay trivial."""
    from visitgrain.runtime.session import build_session

    return build_session(
        master="local[2]",
        zone="Asia/Shanghai",
        jars=ROOT / "jars",
        options={
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.databricks.delta.snapshotPartitions": "2",
            "spark.driver.memory": "2g",
            "spark.driver.extraJavaOptions": "-XX:+UseParallelGC -XX:TieredStopAtLevel=1",
            "spark.sql.warehouse.dir": str(scratch / "warehouse"),
            "spark.local.dir": str(scratch / "local"),
            "spark.sql.adaptive.enabled": "false",
            # Tables of a few rows: compiling each plan would take longer than running it.
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        },
    )


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """The one session of the test process."""
    session = small_session(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real logs and oracles that tests may use."""
    if not SHARED.is_dir():
        pytest.fail(f"{SHARED} is missing: the oracles and real logs are read from there")
    return SHARED
