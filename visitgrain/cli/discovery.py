"""Jobs and pipelines: whatever the packages `jobs` and `pipelines` hold. Importing them validates them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from visitgrain.errors import UsageError, suggestion
from visitgrain.runtime.job import Job, Pipeline


@cache
def discovered_jobs() -> dict[str, Job]:
    return {job.name: job for job in _collect("jobs", "JOB", Job)}


@cache
def discovered_pipelines() -> dict[str, Pipeline]:
    return {pipeline.name: pipeline for pipeline in _collect("pipelines", "PIPELINE", Pipeline)}


def target(name: str) -> Job | Pipeline:
    """The pipeline or job called `name`. Raises UsageError."""
    known: dict[str, Job | Pipeline] = {**discovered_jobs(), **discovered_pipelines()}
    if name in known:
        return known[name]
    raise UsageError(
        f"no job or pipeline {name!r}{suggestion(name, list(known))}\npipelines: {', '.join(discovered_pipelines())}\n"
        f"jobs: {', '.join(discovered_jobs())}"
    )


def jobs_of(found: Job | Pipeline) -> tuple[Job, ...]:
    return found.jobs if isinstance(found, Pipeline) else (found,)


def _collect(package: str, attribute: str, kind: type) -> list[Any]:
    folder = importlib.import_module(package)
    modules = [importlib.import_module(f"{package}.{info.name}") for info in pkgutil.iter_modules(folder.__path__)]
    return [found for module in modules if isinstance(found := getattr(module, attribute, None), kind)]
