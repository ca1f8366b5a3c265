"""`visitgrain` as a process of its own, small, to be killed, stopped and starved."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from visitgrain.runtime.faults import FAULT, FAULT_LOG

ROOT = Path(__file__).resolve().parents[2]
DAILY = ("run", "daily", "--from", "2026-03-01", "--to", "2026-03-03")
SMALL = {
    "master": "local[2]",
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.ui.enabled": "false",
    # Tables of a few rows: compiling each plan would take longer than running it.
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC -XX:TieredStopAtLevel=1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


class Command:
    """Starts at once. `log` gets a line per fault that fired."""

    def __init__(self, world: Path, lake: Path | str, *arguments: str, fault: str = "", **settings: str) -> None:
        self.log = world / f"{str(lake).replace('/', '-')}.faults"
        pairs = {**SMALL, "pseudonym_secret_file": str(world / "secret"), **settings}
        options = [part for name, value in pairs.items() for part in ("--set", f"{name}={value}")]
        command = [sys.executable, "-m", "visitgrain.cli", "--lake", str(lake), *options, *arguments]
        environment = {**os.environ, FAULT: fault, FAULT_LOG: str(self.log)}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, timeout_s: float = 300) -> tuple[int, str]:
        """Exit code, and what it said."""
        try:
            said = self.process.communicate(timeout=timeout_s)[1]
        finally:
            self.process.kill()
        return self.process.returncode, said

    @property
    def fired(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def wait_for_fault(self, timeout_s: float = 200) -> None:
        """Until the first fault fires."""
        deadline = time.monotonic() + timeout_s
        while not self.fired:
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < deadline
            time.sleep(0.1)
