"""A real Spark standalone master and worker on loopback, with authentication, from the pinned pyspark."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark

SPARK_HOME = Path(pyspark.__file__).parent
PATIENCE_S = 60


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields the master's URL and the properties file that lets a client in; always ends both processes.

    Ports are the system's choice, so clusters of parallel test runs do not meet. The secret is in a file that
    only its owner reads, never on a command line.
    """
    properties = folder / "cluster.properties"
    properties.touch(mode=0o600)
    properties.write_text(
        f"spark.authenticate true\nspark.authenticate.secret {secrets.token_hex(16)}\n"
        "spark.master.rest.enabled false\nspark.ui.enabled false\n",
        encoding="utf-8",
    )
    shared = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--properties-file", str(properties)]
    with _daemon(folder / "master.log", "master.Master", shared) as log:
        url = _wait_for(log, r"(spark://127\.0\.0\.1:\d+)")
        size = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / "work"), url]
        with _daemon(folder / "worker.log", "worker.Worker", shared + size) as log:
            _wait_for(log, r"Successfully registered with (master)")
            yield url, properties


@contextmanager
def _daemon(log: Path, name: str, arguments: list[str]) -> Iterator[Path]:
    """Runs a Spark daemon in the foreground of its own process group, which ends with the block."""
    command = [str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *arguments]
    environment = {**os.environ, "SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": "127.0.0.1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(log: Path, pattern: str) -> str:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text(encoding="utf-8", errors="replace")):
            return found.group(1)
        time.sleep(0.1)
    raise AssertionError(f"{pattern} not seen in {PATIENCE_S} s:\n{log.read_text(encoding='utf-8', errors='replace')}")
