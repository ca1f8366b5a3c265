"""Runs jobs and pipelines and keeps the books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from visitgrain.runtime import faults
from visitgrain.runtime.attempt import Attempt
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job, Pipeline
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.planning import Book, Inputs, next_run
from visitgrain.runtime.publishing import publications
from visitgrain.runtime.quality import gate as quality
from visitgrain.runtime.storage import Store
from visitgrain.span import Span
from visitgrain.tables.runs import PUBLISHED_RUNS


def run_job(job: Job, span: Span, context: Context) -> list[Entry]:
    """Run `job` for `span`; one ledger entry per table, none where an attached run has done it before.

    Raises a VisitgrainError after recording the failure.
    """
    ran_before = _ran_before(context)
    if context.attached:
        book = Book(ran_before, Inputs(context.lake.data_files), catalogue_hash=context.catalogue.hash)
        if all(book.is_done(job, period, context.run_id) for period in span.periods(job.grain)):
            return []
    return _run([(job, span)], context, ran_before)


def run_pipeline(pipeline: Pipeline, span: Span, context: Context, *, until: Job | None = None) -> list[Entry]:
    """Run what `steps` says, then publish the version of every table of the pipeline, if the quality gate lets it.

    A failure publishes nothing: readers keep the versions of the run before. `until`: run the jobs up to this one and
    publish nothing; the same run goes on later.
    """
    _ = context.quality  # rules that are not valid are told before anything is computed
    ran_before = _ran_before(context)
    wanted = pipeline if until is None else replace(pipeline, jobs=pipeline.jobs[: pipeline.jobs.index(until) + 1])
    entries = _run(steps(wanted, span, context, ran_before), context, ran_before)
    if until is None:
        own, earlier = _of_this_run(pipeline, ran_before, context)
        with context.lake.lock(*(table for job in pipeline.jobs for table in job.writes)):  # as it was judged
            quality.check(pipeline, span, [*own, *entries], earlier, context)
            faults.reached("before-publish")
            _publish(pipeline, span, context)
    return entries


def _of_this_run(pipeline: Pipeline, ran_before: Sequence[Entry], context: Context) -> tuple[list[Entry], list[Entry]]:
    """What an attached run has done of the pipeline before, and what other runs did."""
    names = {job.name for job in pipeline.jobs} if context.attached else set()
    mine = [entry.run_id == context.run_id and entry.job in names for entry in ran_before]
    both = list(zip(ran_before, mine, strict=True))
    return [entry for entry, own in both if own], [entry for entry, own in both if not own]


def _publish(pipeline: Pipeline, span: Span, context: Context) -> None:
    """Append to `published_runs`, once per run: an attached run that has published these versions adds nothing."""
    published: dict[str, Any] = {
        "run_id": context.run_id,
        "pipeline": pipeline.name,
        "period_start": span.start,
        "period_end": span.end,
        "published_at": datetime.now(UTC),
        "versions": {table.name: context.lake.version(table) for job in pipeline.jobs for table in job.writes},
    }
    if not (context.attached and _is_published(published, context.lake.store)):
        context.lake.append(PUBLISHED_RUNS, [published], run_id=context.run_id)


def _is_published(row: Mapping[str, Any], store: Store) -> bool:
    keys = ("run_id", "pipeline", "period_start")
    same = [known for known in publications(store) if all(known[name] == row[name] for name in keys)]
    return bool(same) and same[-1]["versions"] == row["versions"]


def steps(pipeline: Pipeline, span: Span, context: Context, ran_before: Sequence[Entry]) -> Iterator[tuple[Job, Span]]:
    """Job by job: the periods of `span`, and all periods that ran before and whose inputs have changed since.

    A job of a finer grain than the pipeline's (days of a monthly pipeline) runs for those of its periods only that are
    not current. What is touched shows as the steps before are done: take each step when the one before has ended.
    An attached run leaves out what it has done before, unless code, catalogue or inputs have changed since.
    """
    inputs = Inputs(context.lake.data_files)
    book = Book(ran_before, inputs, catalogue_hash=context.catalogue.hash, kept=context.ledger.kept_from())
    for job in pipeline.jobs:
        asked = span.periods(job.grain)
        if job.grain != pipeline.grain:
            asked = [period for period in asked if not book.is_current(job, period)]
        elif context.attached:
            asked = [period for period in asked if not book.is_done(job, period, context.run_id)]
        pending = set(asked) | book.due(job)
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
                faults.reached("before-ledger")
                entries += attempt.entries()
                context.ledger.write_result(context.run_id, attempt.entries())
    finally:
        context.ledger.record(context.lake, entries)
    return entries
