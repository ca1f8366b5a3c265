"""Starts the sides of a task, lets them run in turns, measures each run, and compares what they wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from statistics import median

from bench.checks import assert_same
from bench.contestants import PRODUCT, Task
from bench.measure import Usage, measured
from bench.product import CORES


def compare(task: Task, millions: float, runs: int) -> dict[str, Usage]:
    """Median usage of each side. All are warm, each in its own process. Raises AssertionError when answers differ."""
    subprocess.run([sys.executable, "-m", "bench.side", "prepare", task.name, str(millions)], check=True)
    sides = {side: _started(side, task, millions) for side in (PRODUCT, *task.rivals_at(millions))}
    try:
        usages: dict[str, list[Usage]] = {side: [] for side in sides}
        for turn in range(runs):
            for side, process in sides.items():
                usages[side].append(_one_run(task, side, millions, process))
                print(f"  {task.name} {millions:g} M, run {turn + 1}, {side}: {text_of(usages[side][-1])}", flush=True)
    finally:
        for process in sides.values():
            process.communicate()  # closes its input, which ends it
    for rival in task.rivals_at(millions):
        for table in task.tables:
            assert_same(table, task.files(PRODUCT, table, millions), task.files(rival, table, millions), rival)
    return {side: median_of(found) for side, found in usages.items()}


def _started(side: str, task: Task, millions: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.side", side, task.name, str(millions)]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(CORES)}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    _wait_for("ready", process)
    return process


def _one_run(task: Task, side: str, millions: float, process: subprocess.Popen[str]) -> Usage:
    task.clear(side, millions)
    with measured(process.pid) as usage:
        print("run", file=process.stdin, flush=True)
        _wait_for("done", process)
    return usage


def _wait_for(word: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            return
    raise RuntimeError(f"{process.args!r} ended with {process.wait()} before it said {word!r}")


def median_of(usages: list[Usage]) -> Usage:
    """Of each measure by itself; of memory the largest."""
    return Usage(
        wall_s=median(usage.wall_s for usage in usages),
        cpu_s=median(usage.cpu_s for usage in usages),
        peak_bytes=max(usage.peak_bytes for usage in usages),
    )


def text_of(usage: Usage) -> str:
    return f"{usage.wall_s:.1f} s, {usage.cpu_s:.1f} CPU s, {usage.peak_bytes / 2**30:.1f} GiB"


def timed(label: str, run: Callable[[], object], runs: int) -> Usage:
    """Medians of `runs`, the first of which does not count where there are several."""
    usages = []
    for _ in range(runs):
        with measured(os.getpid()) as usage:
            run()
        usages.append(usage)
    found = median_of(usages[1:] or usages)
    print(f"{label}: {text_of(found)}", flush=True)
    return found
