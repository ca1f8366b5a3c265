"""What old rows were deleted on purpose, so that nothing is computed anew from what is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from visitgrain.errors import ConfigError, GateRefused
from visitgrain.runtime.job import Job
from visitgrain.span import Span

KeptFrom = Mapping[str, date]  # by table that lost rows: the first day still there


def is_retired(job: Job, period: Span, kept: KeptFrom) -> bool:
    """Are days gone that `job` would read for `period`?"""
    for read in job.reads:
        first, _ = read.of(period) or (None, None)
        if first is not None and first < kept.get(read.table.name, date.min):
            return True
    return False


def refuse_retired(job: Job, periods: Iterable[Span], kept: KeptFrom) -> None:
    """Raises GateRefused for a period that can only be computed wrong by now: what it read is deleted."""
    for period in periods:
        if is_retired(job, period, kept):
            tables = ", ".join(f"{name} from {day}" for name, day in sorted(kept.items()))
            raise GateRefused(
                f"{period}: what it is computed from was deleted by `visitgrain retain`; there is {tables}. Its "
                "results stay as they are; choose a later period"
            )


def refuse_history(jobs: Iterable[Job], tables: Iterable[str]) -> None:
    """Raises ConfigError where a job reads all of a table's past: without it, its later results would be others."""
    wanted = set(tables)
    for job in jobs:
        for read in job.reads:
            of_span = read.of(Span(date(2000, 1, 1), date(2000, 1, 31)))
            if read.table.name in wanted and (of_span is None or of_span[0] is None):
                raise ConfigError(
                    f"conf/catalogue/retention.yaml: {read.table.name}: job {job.name} reads its whole history, and "
                    "would compute other results without it; remove the entry"
                )
