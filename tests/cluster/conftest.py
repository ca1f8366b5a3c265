"""One standalone cluster as shipped, on free ports, and a day of events; every run gets a copy of that lake."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection
from pathlib import Path

import pytest

from jobs.ingest_source import ingest
from tests.jobs.runtime_world import context
from tests.table_rows import to_frame
from visitgrain.runtime.daemons import Daemons
from visitgrain.runtime.ledger import Ledger
from visitgrain.runtime.settings import default_conf
from visitgrain.runtime.standalone import Layout
from visitgrain.runtime.storage import Store
from visitgrain.simulation import simulate
from visitgrain.tables.inputs import EVENTS

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-03-01"
DEVICES = 40
DAILY = ["run", "daily", "--date", DAY]
MONTHLY = ["run", "monthly", "--date", "2026-02-01"]
PROBE = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print("ANSWER", spark.range(10).count())
"""
SMALL = ["--set", "spark.sql.shuffle.partitions=2", "--set", "spark.databricks.delta.snapshotPartitions=1"]


@pytest.fixture(scope="session")
def events_lake(spark, tmp_path_factory) -> Path:
    """Each device has two visits: events at 9:00 and 9:10, then one at 11:00."""
    times = ("09:00:00", "09:10:00", "11:00:00")
    rows = [f"e{n}-{at} | {n} | d{n} | {DAY} {at} | page_view" for n in range(DEVICES) for at in times]
    text = "\n".join(["event_id | subscriber_id | device_id | event_time | event_type", *rows])
    events = to_frame(spark, EVENTS, text, channel="app", source="test", load_id="test")
    day = {"event_date": "to_date(event_time)", "received_time": "event_time"}
    frame = events.selectExpr(*(f"{day.get(name, name)} AS {name}" for name in EVENTS.column_names))
    root = tmp_path_factory.mktemp("events") / "lake"
    from visitgrain.runtime.lake import Lake

    Lake(spark, str(root), "Asia/Shanghai").append(EVENTS, frame, run_id="test")
    return root


@contextmanager
def standing(
    folder: Path, *, host: str = "127.0.0.1", kind: Callable[[Layout], Daemons] = Daemons
) -> Iterator[Daemons]:
    """A cluster as shipped, on free ports and with little memory."""
    small = {"host": host, "first_port": 0, "worker_memory_mb": 600, "daemon_memory_mb": 256}
    daemons = kind(Layout(Layout.of(default_conf()).settings.model_copy(update=small), folder))
    try:
        daemons.start()
        yield daemons
    finally:
        daemons.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    with standing(tmp_path_factory.mktemp("standalone") / "cluster") as daemons:
        yield daemons


@dataclass
class Run:
    """A submitted command: its process, lake and log."""

    process: subprocess.Popen[bytes]
    lake: Path
    log: Path
    began: float
    seconds: float = 0.0

    def wait(self) -> int:
        code = self.process.wait(timeout=600)
        self.seconds = time.monotonic() - self.began
        return code

    def has(self, table: str) -> bool:
        return (self.lake / table / "_delta_log").exists()

    def hashes(self) -> dict[tuple[str, str], str | None]:
        """What each job wrote into each table."""
        entries = Ledger(Store(str(self.lake))).entries()
        return {(entry.job, entry.table_name): entry.content_hash for entry in entries}


def submit(cluster: Daemons, source: Path, folder: Path, command: Sequence[str], *more: str, master: str | None) -> Run:
    """Starts a command on a copy of a lake; on `cluster` unless told another master."""
    lake, layout = Path(shutil.copytree(source, folder / "lake")), cluster.layout
    to = ["--load-spark-defaults", str(layout.client_properties)] if master is None else []
    options = ["--master", master or layout.master_url, *to, "--driver-memory", "600m", *more]
    line = [str(ROOT / "spark-submit.sh"), *options, "--", "--lake", str(lake), *SMALL, *command]
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            line,
            cwd=folder,
            env={**os.environ, "SPARK_LOCAL_IP": layout.settings.host},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    return Run(process, lake, log, time.monotonic())


@pytest.fixture(scope="session")
def submitted(events_lake, cluster, tmp_path_factory) -> Callable[..., Run]:
    """Starts a pipeline, daily by default, on a copy of a lake; on `cluster` unless told another master."""

    def start(master: str | None = None, *more: str, source: Path = events_lake, command: Sequence[str] = DAILY) -> Run:
        return submit(cluster, source, tmp_path_factory.mktemp("run"), command, *more, master=master)

    return start


@pytest.fixture(scope="session")
def month(spark, tmp_path_factory) -> Path:
    """A lake of 60 subscribers and a simulated month, ingested."""
    folder = tmp_path_factory.mktemp("month")
    first, last = date(2026, 2, 1), date(2026, 2, 28)
    simulate(spark, subscribers=60, start=first, end=last, seed=7, out=folder / "feed")
    made = context(spark, folder / "lake", pseudonym_secret_file=folder / "secret")
    ingest(made, source="canonical", path=folder / "feed")
    return folder / "lake"


@pytest.fixture(scope="session")
def local_run(submitted) -> Run:
    run = submitted("local[2]")
    assert run.wait() == 0, run.log.read_text()
    return run


@pytest.fixture(scope="session")
def cluster_run(submitted) -> Run:
    run = submitted()
    assert run.wait() == 0, run.log.read_text()
    return run


def latest_log(cluster: Daemons) -> Path:
    return max(cluster.layout.event_logs.iterdir(), key=lambda path: path.stat().st_mtime)


def answer(port: int, path: str, *, token: str | None = None, method: str = "GET") -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    finally:
        connection.close()


def seconds_until(condition: Callable[[], bool], patience: float) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < patience, f"not within {patience:g} s"
        time.sleep(0.1)
    return time.monotonic() - began


def first_answer(cluster, folder: Path, properties: str, expected: tuple[str, ...]) -> str | None:
    """Which of `expected` a small application with these properties logs first."""
    file, code, log = folder / "client.properties", folder / "probe.py", folder / "log"
    file.write_text(properties)
    code.write_text(PROBE)
    submit = [
        str(ROOT / ".venv/bin/spark-submit"),
        "--master",
        cluster.layout.master_url,
        "--properties-file",
        str(file),
    ]
    with log.open("wb") as output, subprocess.Popen([*submit, str(code)], stdout=output, stderr=output) as process:
        seconds_until(lambda: process.poll() is not None or any(text in log.read_text() for text in expected), 180)
        found = [text for text in expected if text in log.read_text()]
        if found != ["ANSWER 10"]:
            process.terminate()
        process.wait(timeout=60)
    return found[0] if found else None
