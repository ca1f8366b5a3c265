"""Which job writes a table and which jobs read it, from the declarations in the `jobs` package."""

from __future__ import annotations

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
