"""Which job writes a table and which jobs read it, from the declarations in the `jobs` package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Lineage:
    """Job names by table name, each list sorted."""

    writers: dict[str, list[str]]
    readers: dict[str, list[str]]

    @classmethod
    def of(cls, jobs: Iterable[Any]) -> Lineage:
        writers: dict[str, set[str]] = {}
        readers: dict[str, set[str]] = {}
        for job in jobs:
            for table in job.writes:
                writers.setdefault(table.name, set()).add(job.name)
            for read in job.reads:
                readers.setdefault(read.table.name, set()).add(job.name)
        return cls({k: sorted(v) for k, v in writers.items()}, {k: sorted(v) for k, v in readers.items()})


def discover_jobs() -> list[Any]:
    """Every `JOB` in the `jobs` package, by name. Imported by name only: declarations stand above this package."""
    package = importlib.import_module("jobs")
    modules = (importlib.import_module(f"jobs.{info.name}") for info in pkgutil.iter_modules(package.__path__))
    jobs = [module.JOB for module in modules if hasattr(module, "JOB")]
    return sorted(jobs, key=lambda job: job.name)
