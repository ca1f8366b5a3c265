"""`status`: which periods of each job are complete, touched or missing, from ledger and logs; starts no Spark."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from visitgrain.catalogue.operations import load_service_levels
from visitgrain.cli.discovery import discovered_jobs
from visitgrain.cli.periods import shown
from visitgrain.cli.text_table import echo_table
from visitgrain.errors import ServiceLevelBroken
from visitgrain.runtime.context import Context
from visitgrain.runtime.freshness import Breach, breaches, complete_through, remember, untold
from visitgrain.runtime.job import Job
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.planning import Book, State, next_run
from visitgrain.runtime.storage import Store
from visitgrain.span import Span

SHOWN = 5  # ranges named per job


@click.command()
@click.option("--watch", is_flag=True, help="Show it again and again; Ctrl-C ends it.")
@click.option("--every", default=30.0, show_default=True, type=click.FloatRange(min=1), help="Seconds, with --watch.")
@click.option("--check", is_flag=True, help="Only say which tables are late; exit code 8 for what was not told before.")
@click.option("--again", is_flag=True, help="With --check: also what was told before.")
@click.option("--at", type=click.DateTime(), help="With --check: as if it were this time of the zone.")
@click.pass_obj
def status(context: Context, watch: bool, every: float, check: bool, again: bool, at: datetime | None) -> None:
    """Per job: periods complete, touched by newer inputs and missing between the first and the last; its last run.

    --check compares with conf/operations/service_levels.yaml, and is what a scheduler calls every few minutes: it tells
    a breach once, by its exit code and a line on standard output.
    """
    if check:
        zone = ZoneInfo(context.settings.zone)
        _check(context, at.replace(tzinfo=zone) if at else datetime.now(zone), again=again)
        return
    while watch:
        click.clear()
        click.echo(f"{datetime.now():%Y-%m-%d %H:%M:%S}, every {every:g} s; Ctrl-C ends it")
        _show(context)
        time.sleep(every)
    _show(context)


def _check(context: Context, now: datetime, *, again: bool) -> None:
    """Raises ServiceLevelBroken, a line per breach, for those that were not told before (for all with `again`)."""
    store, levels = Store(context.settings.lake), load_service_levels(context.conf)
    through = complete_through(context.book, discovered_jobs().values())
    found = breaches(levels.freshness, through, now, context.settings.zone)
    tell = found if again else untold(store, found)
    for breach in found:
        click.echo(breach.line, err=breach not in tell)  # told before: for whoever looks, not for the pager
    remember(store, found, now)
    if tell:
        raise ServiceLevelBroken(f"{len(tell)} of {len(levels.freshness)} promises are broken: {_names(tell)}")
    click.echo(f"{len(levels.freshness) - len(found)} of {len(levels.freshness)} promises are kept")


def _names(found: Iterable[Breach]) -> str:
    return ", ".join(breach.level.table for breach in found)


def _show(context: Context) -> None:
    book, jobs = context.book, discovered_jobs()
    ran = {name: [e for e in book.entries if e.job == name] for name in dict.fromkeys(e.job for e in book.entries)}
    if not ran:
        click.echo(f"lake {context.settings.lake}: no run yet; begin with `visitgrain ingest` or `visitgrain demo`")
        return
    states = {name: _states(jobs[name], book) for name in ran if name in jobs}
    echo_table(
        ("job", "per", "complete", "touched", "missing", "first", "last", "last run", "status", "rows", "seconds"),
        [(name, *_counts(jobs.get(name), states.get(name)), *_last_run(own)) for name, own in ran.items()],
    )
    for state in (State.TOUCHED, State.MISSING):
        for name, found in states.items():
            if periods := [period for period, has in found.items() if has == state]:
                click.echo(f"{state}: {name} {ranges(jobs[name], periods)}")
    if any(State.TOUCHED in found.values() for found in states.values()):
        click.echo("the next run of their pipeline brings touched periods up to date")
    if never := [name for name in jobs if name not in ran]:
        click.echo(f"never ran: {', '.join(never)}")


def _states(job: Job, book: Book) -> dict[Span, State]:
    """Of every period between the first and the last that ran."""
    known = book.periods(job)
    return {p: book.state(job, p) for p in Span(known[0].start, known[-1].end).periods(job.grain)} if known else {}


def _counts(job: Job | None, states: dict[Span, State] | None) -> tuple[str | int | None, ...]:
    """Grain, periods by state, first and last; nothing for ingest, which runs when files come."""
    if job is None or not states:
        return (None,) * 6
    numbers = Counter(states.values())
    return job.grain, *(numbers[state] for state in State), shown(min(states)), shown(max(states))


def _last_run(entries: list[Entry]) -> tuple[str, str, int, float]:
    """When, how it ended, rows of all its tables, seconds."""
    last = [e for e in entries if (e.run_id, e.started_at) == (entries[-1].run_id, entries[-1].started_at)]
    state = "failed" if any(e.status == "failed" for e in last) else "ok"
    when = f"{last[-1].started_at.astimezone():%Y-%m-%d %H:%M}"
    return when, state, sum(e.rows_out or 0 for e in last), last[-1].seconds


def ranges(job: Job, periods: Iterable[Span]) -> str:
    """Neighbours joined: 2026-03-04..2026-03-06, 2026-03-09."""
    left, runs = set(periods), []
    while left:
        run = next_run(job, left)
        runs.append(shown(run))
        left = {period for period in left if period.start > run.end}
    return ", ".join(runs[:SHOWN]) + (f" and {len(runs) - SHOWN} more ranges" if len(runs) > SHOWN else "")
