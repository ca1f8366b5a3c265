"""What an application cost, from the event log that Spark wrote of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard


@dataclass(frozen=True)
class Cost:
    """Sums over all tasks that ended. `cpu_s` is of the executors' JVMs: Python workers are not in it."""

    wall_s: float  # from the application's start to its last task's end
    cpu_s: float
    run_s: float
    shuffle_bytes: int  # written
    tasks: int
    executors: int  # that ran a task
    executors_lost: int


def cost(log: Path) -> Cost:
    starts, ends, executors = [], [], set()
    cpu = run = shuffled = lost = 0
    for event in events(log):
        kind = event["Event"]
        if kind == "SparkListenerApplicationStart":
            starts.append(event["Timestamp"])
        elif kind == "SparkListenerExecutorRemoved":
            lost += 1
        elif kind == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            ends.append(event["Task Info"]["Finish Time"])
            executors.add(event["Task Info"]["Executor ID"])
            metrics = event["Task Metrics"]
            cpu += metrics["Executor CPU Time"]
            run += metrics["Executor Run Time"]
            shuffled += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
    return Cost((max(ends) - starts[0]) / 1e3, cpu / 1e9, run / 1e3, shuffled, len(ends), len(executors), lost)


def events(log: Path) -> Iterator[dict[str, Any]]:
    """Of a log that may still be written: what is whole of it."""
    with log.open("rb") as file:
        frames = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        try:
            for line in io.TextIOWrapper(frames, encoding="utf-8"):
                yield json.loads(line)
        except ValueError:  # half a line
            return
