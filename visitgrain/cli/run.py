"""`run` and `backfill`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

import click

from visitgrain.catalogue.quality import load_quality
from visitgrain.cli.discovery import jobs_of, target
from visitgrain.cli.periods import Period, argument, between, period_options, shown, span_of
from visitgrain.cli.text_table import echo_table
from visitgrain.errors import UsageError, VisitgrainError, suggestion
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job, Pipeline
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.planning import failed_run, takes_many
from visitgrain.span import Span


def quality_options(command: Callable[..., None]) -> Callable[..., None]:
    """What may be published although a rule of the quality gate is broken; the results keep that it was."""
    volume = click.option("--allow-volume", is_flag=True, help="Publish an unusual number of rows: it was looked at.")
    rules = click.option(
        "--allow-quality", multiple=True, metavar="TABLE.RULE", help="Publish though this rule is broken; repeatable."
    )
    return volume(rules(command))


@click.command()
@click.argument("name", metavar="JOB|PIPELINE")
@period_options
@quality_options
@click.option("--dry-run", is_flag=True, help="Build and check every transform; write nothing.")
@click.option("--until", metavar="JOB", help="Of a pipeline: run its jobs up to this one, and publish nothing yet.")
@click.option("--from-failed", is_flag=True, help="Go on with the last run of this, which failed; what it did stays.")
@click.option("--trials", type=click.IntRange(min=0), help="Settings that a training job tries per learner.")
@click.pass_obj
def run(
    context: Context,
    name: str,
    day: Span | None,
    month: Span | None,
    start: Span | None,
    end: Span | None,
    allow_quality: tuple[str, ...],
    allow_volume: bool,
    dry_run: bool,
    until: str | None,
    from_failed: bool,
    trials: int | None,
) -> None:
    """Run a job or a pipeline once. A second run replaces what the first wrote.

    With `visitgrain --run-id ID run …` the same command again goes on with the run: what it did stays as it is, unless
    code, catalogue or inputs have changed since.
    """
    found = target(name)
    last = _job_of(found, until) if until else None
    span = span_of(found.grain, day=day, month=month, start=start, end=end)
    context.trials = trials
    context.allowed_rules = _allowed(found, allow_quality, allow_volume, context)
    if dry_run:
        _dry_run(found, span, context)
        return
    if from_failed:
        _attach_to_failed(found, span, context)
    entries = _run_once(found, span, context, until=last)
    _echo_entries(entries)
    if not entries:
        click.echo(f"nothing to do: run {context.run_id} has done it before")


def _job_of(found: Job | Pipeline, name: str) -> Job:
    """Raises UsageError."""
    names = [job.name for job in found.jobs] if isinstance(found, Pipeline) else []
    if name not in names:
        allowed = f"its jobs are {', '.join(names)}" if names else "it is a job; --until is for pipelines"
        raise UsageError(f"--until {name}: not a job of {found.name}{suggestion(name, names)}; {allowed}")
    return jobs_of(found)[names.index(name)]


def _attach_to_failed(found: Job | Pipeline, span: Span, context: Context) -> None:
    """Make this process go on with the run that failed. Raises UsageError."""
    if context.attached:
        return  # --run-id says which
    failed = failed_run(jobs_of(found), span, context.ledger.entries())
    if failed is None:
        raise UsageError(
            f"--from-failed: the ledger of {context.settings.lake} has no run of {found.name} for {shown(span)} that "
            "failed last; leave out --from-failed"
        )
    click.echo(f"going on with run {failed}", err=True)
    context.run_id, context.attached = failed, True


@click.command()
@click.argument("name", metavar="JOB|PIPELINE")
@click.option("--from", "start", type=Period(), required=True, help="First day or month.")
@click.option("--to", "end", type=Period(), required=True, help="Last day or month.")
@click.option("--missing-only", is_flag=True, help="Leave out what ran well with this code and catalogue.")
@quality_options
@click.pass_obj
def backfill(
    context: Context,
    name: str,
    start: Span,
    end: Span,
    missing_only: bool,
    allow_quality: tuple[str, ...],
    allow_volume: bool,
) -> None:
    """Run once per day (or month) of a range, oldest first; stops at the first failure and says how to go on.

    Monthly jobs that take many months at once run once.
    """
    found = target(name)
    context.allowed_rules = _allowed(found, allow_quality, allow_volume, context)
    wanted = between(start, end).periods(found.grain)
    if found.grain == "month" and all(map(takes_many, jobs_of(found))):
        wanted = [Span(wanted[0].start, wanted[-1].end)]
    done = _done(found, wanted, context) if missing_only else set()
    entries: list[Entry] = []
    for number, span in enumerate(wanted, start=1):
        if span in done:
            continue
        click.echo(f"{shown(span)} ({number} of {len(wanted)})", err=True)
        try:
            entries += _run_once(found, span, context)
        except VisitgrainError as error:
            resume = ["visitgrain", "backfill", name, "--from", argument(wanted[0], found.grain)]
            resume += ["--to", argument(wanted[-1], found.grain, end=True), "--missing-only"]
            message = f"{error}\nstopped at {shown(span)}, {number} of {len(wanted)}; go on with: {shlex.join(resume)}"
            raise type(error)(message) from error
    _echo_entries(entries)
    click.echo(f"{len(wanted) - len(done)} of {len(wanted)} periods run, {len(done)} were done before")


def _allowed(found: Job | Pipeline, rules: Iterable[str], volume: bool, context: Context) -> frozenset[str]:
    """Full names of rules. Raises UsageError for a job: only what is published is judged."""
    rules = tuple(rules)
    if isinstance(found, Job) and (rules or volume):
        raise UsageError(f"job {found.name} is not judged: --allow-quality and --allow-volume are for pipelines")
    if not volume:
        return frozenset(rules)
    quality = load_quality(context.conf)
    judged = [rule for job in jobs_of(found) for table in job.writes for rule in quality.of(table)]
    return frozenset([*rules, *(rule.full_name for rule in judged if rule.kind == "volume")])


def _run_once(found: Job | Pipeline, span: Span, context: Context, *, until: Job | None = None) -> list[Entry]:
    from visitgrain.runtime.runner import run_job, run_pipeline

    if isinstance(found, Pipeline):
        return run_pipeline(found, span, context, until=until)
    return run_job(found, span, context)


def _done(found: Job | Pipeline, wanted: Iterable[Span], context: Context) -> set[Span]:
    book = context.book
    return {s for s in wanted if all(book.is_current(job, p) for job in jobs_of(found) for p in s.periods(job.grain))}


def _dry_run(found: Job | Pipeline, span: Span, context: Context) -> None:
    from visitgrain.runtime.dry_run import check

    for job in jobs_of(found):
        notes = check(job, span, context)
        click.echo(f"{job.name} for {shown(span)}: transform and output columns are right")
        for note in notes:
            click.echo(f"  {note}")


def _echo_entries(entries: list[Entry]) -> None:
    """One line per table: rows and seconds of all its runs, its newest version."""
    by_table: dict[str, list[Entry]] = {}
    for entry in entries:
        by_table.setdefault(entry.table_name, []).append(entry)
    rows = [
        (name, sum(e.rows_out or 0 for e in group), sum(e.seconds for e in group), group[-1].output_version)
        for name, group in by_table.items()
    ]
    if rows:
        echo_table(("table", "rows", "seconds", "version"), rows)
