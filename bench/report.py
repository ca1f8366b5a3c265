"""docs/generated/benchmark.md: what was measured, on what, by which command."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.contestants import MEMORY, MOST_MILLIONS, PRODUCT
from bench.measure import Usage
from visitgrain.runtime.machine import GIB, memory_bytes

PAGE = Path("docs/generated/benchmark.md")
KEPT = Path("build/bench/results.json")  # of every task and size measured here: a long benchmark is made in parts
PACKAGES = ("pyspark", "delta-spark", "duckdb", "polars", "pyarrow")
Results = dict[tuple[str, float], dict[str, Usage]]  # (task, million events) -> usage by side
WORK = {
    "visits": "events -> visits, a whole month rebuilt: the jobs cut_visits, build_visits and stitch_visits with their "
    "Delta commits, content hashes and ledger, against one SQL script or one Polars program that writes Parquet and "
    "stitches nothing: settled visits are compared. Goal: at most 1.6 x DuckDB's CPU at 7 million events, 1.2 x at 35 "
    "million, 6 GiB, flat per event within 15 %.",
    "segments": "visits -> month features, cut points, consumption and behaviour segments: the jobs summarise_months, "
    "fit_cut_points and both assignments. Goal: at most 2 x DuckDB's CPU.",
}


def write(results: Results, *, runs: int) -> None:
    """Adds `results` to those of earlier commands and writes the page of all of them."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for (task, size), usages in results.items():
        sides = {side: asdict(usage) for side, usage in usages.items()}
        kept.setdefault(task, {})[f"{size:g}"] = {
            "day": str(date.today()),
            "commit": _commit(),
            "runs": runs,
            "sides": sides,
        }
    KEPT.write_text(json.dumps(kept, indent=1))
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(kept))


def page(kept: dict[str, Any]) -> str:
    lines = [
        "# Benchmark",
        "",
        f"Made by `python -m bench`, each size of a task on the commit named with it. {_machine()}. {_versions()}.",
        "",
        "Medians of runs in turns, each side warm and in its own process; memory is the largest seen. CPU is "
        "user + system time of the whole process tree, JVM and Python workers included. Sizes are millions of made-up "
        "events of one month. "
        f"All sides read the same Parquet files; DuckDB may use {MEMORY}. After the runs every value of every row "
        "is compared between the sides (hash ids apart); a difference fails the benchmark. Polars holds everything in "
        f"memory and takes part up to {MOST_MILLIONS['polars']} million events.",
    ]
    for task, found in kept.items():
        sizes = {
            float(size): {side: Usage(**usage) for side, usage in of_size["sides"].items()}
            for size, of_size in sorted(found.items(), key=lambda item: float(item[0]))
        }
        made = ", ".join(
            f"{size} M: {one['runs']} runs on {one['day']}, commit {one['commit']}" for size, one in found.items()
        )
        lines += ["", f"## {task}", "", WORK[task], "", f"({made})", "", *_table(sizes)]
        if len(sizes) > 1:
            lines += ["", _flatness(sizes)]
    return "\n".join(lines) + "\n"


def _table(sizes: dict[float, dict[str, Usage]]) -> list[str]:
    lines = [
        f"| M events | side | wall s | CPU s | CPU s per M | peak GiB | CPU, {PRODUCT} : it | wall, {PRODUCT} : it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size, usages in sizes.items():
        ours = usages[PRODUCT]
        for side, usage in usages.items():
            ratios = (
                "| |" if side == PRODUCT else f"| {ours.cpu_s / usage.cpu_s:.2f} | {ours.wall_s / usage.wall_s:.2f}"
            )
            numbers = (
                f"{usage.wall_s:.1f} | {usage.cpu_s:.1f} | {usage.cpu_s / size:.2f} | {usage.peak_bytes / GIB:.1f}"
            )
            lines.append(f"| {size:g} | {side} | {numbers} {ratios} |")
    return lines


def _flatness(sizes: dict[float, dict[str, Usage]]) -> str:
    small, large = min(sizes), max(sizes)
    changes = [
        f"{side} {sizes[large][side].cpu_s / large / (sizes[small][side].cpu_s / small) - 1:+.0%}"
        for side in sizes[small]
        if side in sizes[large]
    ]
    return f"CPU per million events at {large:g} million against {small:g} million: {', '.join(changes)}."


def _commit() -> str:
    """What was measured; `+` where the working copy differs from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _machine() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = found[1].strip() if found else platform.machine()
    return f"{os.cpu_count()} cores ({name}), {memory_bytes() / GIB:.0f} GiB, {platform.system()}"


def _versions() -> str:
    return f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
