"""How far the running stages are: a bar on a terminal, one log line every 30 s elsewhere."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from pyspark.sql import SparkSession

LOG = logging.getLogger(__name__)
BAR_WIDTH = 24
TERMINAL_SECONDS, LOG_SECONDS = 0.5, 30.0


@contextmanager
def progress(
    spark: SparkSession, label: str, *, stream: TextIO | None = None, every_s: float | None = None
) -> Iterator[None]:
    """Report on `label` while the body runs. Quiet when it is done before the first report is due."""
    stream = stream or sys.stderr
    on_terminal = stream.isatty()
    pause = every_s or (TERMINAL_SECONDS if on_terminal else LOG_SECONDS)
    done = threading.Event()

    def report() -> None:
        started = time.monotonic()
        while not done.wait(pause):
            line = _line(spark, label, time.monotonic() - started)
            if on_terminal:
                stream.write(f"\r{line}\x1b[K")
                stream.flush()
            else:
                LOG.info(line)

    thread = threading.Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if on_terminal:
            stream.write("\r\x1b[K")
            stream.flush()


def _line(spark: SparkSession, label: str, seconds: float) -> str:
    """'build_visits 2026-03-01  [=====>      ] 12/40 tasks, 2 running, 35 s'; the wait between stages says so."""
    tracker = spark.sparkContext.statusTracker()
    stages = [info for info in map(tracker.getStageInfo, tracker.getActiveStageIds()) if info]
    total, done = sum(s.numTasks for s in stages), sum(s.numCompletedTasks for s in stages)
    if not total:
        return f"{label}  planning or committing, {seconds:.0f} s"
    filled = BAR_WIDTH * done // total
    bar = ("=" * filled + ">").ljust(BAR_WIDTH)[:BAR_WIDTH]
    return f"{label}  [{bar}] {done}/{total} tasks, {sum(s.numActiveTasks for s in stages)} running, {seconds:.0f} s"
