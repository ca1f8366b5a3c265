"""Runs jobs and pipelines and keeps the books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from visitgrain.runtime.attempt import Attempt
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job, Pipeline
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.planning import Book, Inputs, next_run
from visitgrain.span import Span
from visitgrain.tables.runs import PUBLISHED_RUNS


def run_job(job: Job, span: Span, context: Context) -> list[Entry]:
    """Run `job` for `span`; one ledger entry per table. Raises a VisitgrainError after recording the failure."""
    return _run([(job, span)], context, _ran_before(context))


def run_pipeline(pipeline: Pipeline, span: Span, context: Context) -> list[Entry]:
    """Run what `steps` says, then publish the version of every table of the pipeline. A failure publishes nothing."""
    ran_before = _ran_before(context)
    entries = _run(steps(pipeline, span, context, ran_before), context, ran_before)
    published = {
        "run_id": context.run_id,
        "pipeline": pipeline.name,
        "period_start": span.start,
        "period_end": span.end,
        "published_at": datetime.now(UTC),
        "versions": {table.name: context.lake.version(table) for job in pipeline.jobs for table in job.writes},
    }
    context.lake.append(PUBLISHED_RUNS, [published], run_id=context.run_id)
    return entries


def steps(pipeline: Pipeline, span: Span, context: Context, ran_before: Sequence[Entry]) -> Iterator[tuple[Job, Span]]:
    """Job by job: the periods of `span`, and all periods that ran before and whose inputs have changed since.

    A job of a finer grain than the pipeline's (days of a monthly pipeline) runs for those of its periods only that are
    not current. What is touched shows as the steps before are done: take each step when the one before has ended.
    """
    inputs = Inputs(context.lake.data_files)
    book = Book(ran_before, inputs, catalogue_hash=context.catalogue.hash, kept=context.ledger.kept_from())
    for job in pipeline.jobs:
        asked = span.periods(job.grain)
        pending = {p for p in asked if job.grain == pipeline.grain or not book.is_current(job, p)} | book.due(job)
        while pending:
            run = next_run(job, pending)
            yield job, run
            inputs.forget(job.writes)
            pending = {period for period in pending if period.start > run.end}
            if job.reads_itself:  # a later period may have read what this run changed
                pending |= {period for period in book.due(job) if period.start > run.end}


def _ran_before(context: Context) -> list[Entry]:
    _ = context.lake  # a lake that cannot be opened fails here, before there is anything to record
    return context.ledger.entries()


def _run(wanted: Iterable[tuple[Job, Span]], context: Context, ran_before: Sequence[Entry]) -> list[Entry]:
    entries: list[Entry] = []
    try:
        for job, span in wanted:
            attempt = Attempt(job, span, context, ran_before)
            try:
                attempt.run()
            finally:
                entries += attempt.entries()
                context.ledger.write_result(context.run_id, attempt.entries())
    finally:
        context.ledger.record(context.lake, entries)
    return entries
