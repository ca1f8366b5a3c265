"""What an application cost, from the event log that Spark wrote of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
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
    no_task_s: float  # of the wall: the driver alone is at work
    two_tasks_s: float  # of the wall: two tasks or more run


def cost(log: Path) -> Cost:
    starts, spans, executors = [], [], set()
    cpu = run = shuffled = lost = 0
    for event in events(log):
        kind = event["Event"]
        if kind == "SparkListenerApplicationStart":
            starts.append(event["Timestamp"])
        elif kind == "SparkListenerExecutorRemoved":
            lost += 1
        elif kind == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            task, metrics = event["Task Info"], event["Task Metrics"]
            spans.append((task["Launch Time"], task["Finish Time"]))
            executors.add(task["Executor ID"])
            cpu += metrics["Executor CPU Time"]
            run += metrics["Executor Run Time"]
            shuffled += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
    wall = (max(end for _, end in spans) - starts[0]) / 1e3
    one, two = overlaps(spans)
    return Cost(
        wall_s=wall,
        cpu_s=cpu / 1e9,
        run_s=run / 1e3,
        shuffle_bytes=shuffled,
        tasks=len(spans),
        executors=len(executors),
        executors_lost=lost,
        no_task_s=wall - one / 1e3,
        two_tasks_s=two / 1e3,
    )


def overlaps(spans: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """For how long at least one of the spans holds, and at least two."""
    edges = sorted((at, step) for start, end in spans for at, step in ((start, 1), (end, -1)))
    open_, last, one, two = 0, 0, 0, 0
    for at, step in edges:
        one += (at - last) * (open_ >= 1)
        two += (at - last) * (open_ >= 2)
        open_, last = open_ + step, at
    return one, two


def events(log: Path) -> Iterator[dict[str, Any]]:
    """Of a log that may still be written: what is whole of it."""
    with log.open("rb") as file:
        frames = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        try:
            for line in io.TextIOWrapper(frames, encoding="utf-8"):
                yield json.loads(line)
        except ValueError:  # half a line
            return
