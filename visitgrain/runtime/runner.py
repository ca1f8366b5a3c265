"""Runs jobs and pipelines and keeps the books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from visitgrain.runtime.attempt import Attempt
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job, Pipeline
from visitgrain.runtime.ledger import Entry
from visitgrain.span import Span
from visitgrain.tables.runs import PUBLISHED_RUNS


def run_job(job: Job, span: Span, context: Context) -> list[Entry]:
    """Run `job` for `span`; one ledger entry per table. Raises a VisitgrainError after recording the failure."""
    return _run((job,), span, context)


def run_pipeline(pipeline: Pipeline, span: Span, context: Context) -> list[Entry]:
    """Run the jobs in order, then publish the version of every table they wrote. A failure publishes nothing."""
    entries = _run(pipeline.jobs, span, context)
    versions = {entry.table_name: entry.output_version for entry in entries}
    published = {
        "run_id": context.run_id,
        "pipeline": pipeline.name,
        "period_start": span.start,
        "period_end": span.end,
        "published_at": datetime.now(UTC),
        "versions": versions,
    }
    context.lake.append(PUBLISHED_RUNS, [published], run_id=context.run_id)
    return entries


def _run(jobs: Sequence[Job], span: Span, context: Context) -> list[Entry]:
    lake = context.lake  # a lake that cannot be opened fails here, before there is anything to record
    entries: list[Entry] = []
    try:
        for job in jobs:
            attempt = Attempt(job, span, context)
            try:
                attempt.run()
            finally:
                entries += attempt.entries()
                context.ledger.write_result(context.run_id, attempt.entries())
    finally:
        context.ledger.record(lake, entries)
    return entries
