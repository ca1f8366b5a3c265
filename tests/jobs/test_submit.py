"""spark-submit.sh on a real standalone master and worker: rows and exit codes arrive, another Python is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.jobs.standalone import standalone_cluster
from tests.table_rows import to_frame
from visitgrain.runtime.lake import Lake
from visitgrain.tables.inputs import EVENTS

ROOT = Path(__file__).resolve().parents[2]
MEMORY = ["--driver-memory", "600m", "--conf", "spark.executor.memory=600m"]
ONE_TASK = ["--set", "spark.sql.shuffle.partitions=1", "--set", "spark.databricks.delta.snapshotPartitions=1"]


def submit(*arguments: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", **environ}
    command = [str(ROOT / "spark-submit.sh"), *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)


@pytest.fixture
def lake(spark, tmp_path) -> Path:
    """Two devices on 1 March: a visit of three events, a pause of two hours, one event more; one event of another."""
    events = to_frame(
        spark,
        EVENTS,
        """
        event_id | subscriber_id | device_id | event_time          | event_type
        e1       | 1             | phone     | 2026-03-01 09:00:00 | launch
        e2       | 1             | phone     | 2026-03-01 09:10:00 | page_view
        e3       | 1             | phone     | 2026-03-01 09:20:00 | page_view
        e4       | 1             | phone     | 2026-03-01 11:20:00 | page_view
        e5       | 2             | tablet    | 2026-03-01 12:00:00 | page_view
        """,
        channel="app",
        source="test",
        load_id="test",
    )
    root = tmp_path / "lake"
    day = {"event_date": "to_date(event_time)", "received_time": "event_time"}
    frame = events.selectExpr(*(f"{day.get(name, name)} AS {name}" for name in EVENTS.column_names))
    Lake(spark, str(root), "Asia/Shanghai").append(EVENTS, frame, run_id="test")
    return root


def another_python(folder: Path) -> Path:
    """As the workers of the cluster might have it: the same but for the version of one package."""
    about = folder / "other" / "polars-0.0.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: polars\nVersion: 0.0.1\n", encoding="utf-8")
    program = folder / "python"
    first = f'PYTHONPATH="{about.parent}:$PYTHONPATH"'
    program.write_text(f'#!/bin/sh\n{first} exec "{ROOT}/.venv/bin/python" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


def test_a_pipeline_runs_on_a_standalone_cluster(lake, tmp_path):
    with standalone_cluster(tmp_path) as (master, properties):
        to_cluster = ["--master", master, "--load-spark-defaults", str(properties), *MEMORY, "--"]
        run = ["--lake", str(lake), *ONE_TASK, "run", "daily", "--date", "2026-03-01"]
        done = submit(*to_cluster, *run, cwd=tmp_path)
        assert done.returncode == 0, done.stdout  # spark-submit sends Python's standard error there, too
        refused = submit(*to_cluster, "--set", "colour=blue", *run, cwd=tmp_path)
        assert refused.returncode == 3, refused.stdout
        assert "--set colour=blue" in refused.stdout
        other = submit(*to_cluster, *run, cwd=tmp_path, PYSPARK_PYTHON=str(another_python(tmp_path)))
        assert other.returncode == 3, other.stdout
        assert "polars 0.0.1, here" in other.stdout
    rows = DeltaTable(lake / "visits").to_pyarrow_table(columns=["device_id", "hour", "events"]).to_pylist()
    assert sorted((row["device_id"], row["hour"], row["events"]) for row in rows) == [
        ("phone", 9, 3),
        ("phone", 11, 1),
        ("tablet", 12, 1),
    ]
