"""Wall time, CPU time and memory of a process with all its descendants (JVM, Python workers), from /proc."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
            usage.peak_bytes = max(usage.peak_bytes, sum(memory for _, memory in _tree(pid)))

    sampler = threading.Thread(target=sample, daemon=True)
    cpu, wall = _cpu_seconds(pid), time.monotonic()
    sampler.start()
    try:
        yield usage
    finally:
        usage.wall_s, usage.cpu_s = time.monotonic() - wall, _cpu_seconds(pid) - cpu
        stop.set()
        sampler.join()


def _cpu_seconds(pid: int) -> float:
    return sum(ticks for ticks, _ in _tree(pid)) / TICKS


def _tree(root: int) -> Iterator[tuple[int, int]]:
    """(ticks, resident bytes) of each process; ticks include children that ended and were waited for."""
    found: dict[int, tuple[int, int, int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        # proc(5): 4 ppid, 14-17 utime stime cutime cstime, 24 rss; `fields` starts with number 3
        found[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15])), int(fields[21]) * PAGE
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in found:
            yield found[pid][1:]
            todo += [child for child, (parent, _, _) in found.items() if parent == pid]
