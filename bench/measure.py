"""Wall time, CPU time and memory of a process with all its descendants (JVM, Python workers), from /proc."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_S = 0.2


@dataclass
class Usage:
    """Of one measured run. `cpu_s` is user + system; `peak_bytes` the largest sum of resident memory seen."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0


@contextmanager
def measured(pid: int) -> Iterator[Usage]:
    """Usage of the process tree below and with `pid` while the block runs."""
    usage, stop = Usage(), threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_S):
            usage.peak_bytes = max(usage.peak_bytes, sum(process.resident for process in _tree(pid)))

    sampler = threading.Thread(target=sample, daemon=True)
    cpu, wall = _cpu_seconds(pid), time.monotonic()
    sampler.start()
    try:
        yield usage
    finally:
        usage.wall_s, usage.cpu_s = time.monotonic() - wall, _cpu_seconds(pid) - cpu
        stop.set()
        sampler.join()


def own_seconds(root: int) -> dict[int, float]:
    """CPU seconds of each process below and with `root`, without those of children that ended."""
    return {process.pid: process.own / TICKS for process in _tree(root)}


def _cpu_seconds(pid: int) -> float:
    return sum(process.own + process.ended for process in _tree(pid)) / TICKS


class _Process(NamedTuple):
    """`own` ticks, those of children that `ended` and were waited for, resident bytes."""

    pid: int
    parent: int
    own: int
    ended: int
    resident: int


def _tree(root: int) -> Iterator[_Process]:
    found: dict[int, _Process] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        # proc(5): 4 ppid, 14-17 utime stime cutime cstime, 24 rss; `fields` starts with number 3
        pid, ticks = int(folder.name), [int(field) for field in fields[11:15]]
        found[pid] = _Process(pid, int(fields[1]), sum(ticks[:2]), sum(ticks[2:]), int(fields[21]) * PAGE)
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in found:
            yield found[pid]
            todo += [child.pid for child in found.values() if child.parent == pid]
