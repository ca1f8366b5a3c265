"""One side of a task in its own process: warms up, says `ready`, then runs once per line on standard input.

`python -m bench.side prepare|<side> <task> <millions>`; the harness starts it.
"""

from __future__ import annotations

import sys

from bench.contestants import TASKS, prepare

WARM_UP = 0.5  # million events
WARM_UP_RUNS = 3  # results are of warm processes: a JVM compiles what has run a few times


def main() -> None:
    side, task, millions = sys.argv[1], TASKS[sys.argv[2]], float(sys.argv[3])
    if side == "prepare":
        for size in {WARM_UP, millions}:
            prepare(task, size)
        return
    for _ in range(WARM_UP_RUNS):
        task.clear(side, WARM_UP)
        task.run(side, WARM_UP)
    print("ready", flush=True)
    for _ in sys.stdin:
        task.run(side, millions)
        print("done", flush=True)


if __name__ == "__main__":
    main()
