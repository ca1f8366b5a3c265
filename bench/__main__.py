"""`python -m bench [--sizes 7 35] [--runs 3] [--only visits|segments]`."""

from __future__ import annotations

import argparse

from bench import report
from bench.contestants import PRODUCT, TASKS
from bench.harness import compare


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="The product against DuckDB and Polars.")
    parser.add_argument("--sizes", type=float, nargs="+", default=[7, 35], help="millions of events")
    parser.add_argument("--runs", type=int, default=3, help="measured runs per side")
    parser.add_argument("--only", choices=TASKS, help="one task instead of all")
    arguments = parser.parse_args()
    for task in [TASKS[arguments.only]] if arguments.only else TASKS.values():
        for size in arguments.sizes:
            usages = compare(task, size, arguments.runs)
            ours = usages[PRODUCT].cpu_s
            ratios = ", ".join(
                f"{ours / usages[rival].cpu_s:.2f} x the CPU of {rival}" for rival in task.rivals_at(size)
            )
            print(f"{task.name}, {size:g} million events: {PRODUCT} takes {ratios}; same answers", flush=True)
            report.write({(task.name, size): usages}, runs=arguments.runs)
    print(f"written: {report.PAGE}")


if __name__ == "__main__":
    main()
