"""`status`: which periods of each job are there, from the run ledger; starts no Spark."""

from __future__ import annotations

from datetime import date

import click

from visitgrain.cli.discovery import discovered_jobs
from visitgrain.cli.periods import Grain
from visitgrain.cli.text_table import echo_table
from visitgrain.runtime.context import Context
from visitgrain.runtime.ledger import Entry
from visitgrain.span import Span

SHOWN = 5  # ranges named per job


@click.command()
@click.pass_obj
def status(context: Context) -> None:
    """Per job: periods done and missing between the first and the last, and how the last run went."""
    entries = context.ledger.entries()
    grains: dict[str, Grain] = {job.name: job.grain for job in discovered_jobs().values()}
    ran = {name: [e for e in entries if e.job == name] for name in dict.fromkeys(e.job for e in entries)}
    if not ran:
        click.echo(f"lake {context.settings.lake}: no run yet; begin with `visitgrain ingest` or `visitgrain demo`")
        return
    gaps = {name: _missing(grains[name], own) for name, own in ran.items() if name in grains}
    echo_table(
        ("job", "per", "done", "missing", "first", "last", "last run", "status", "rows", "seconds"),
        [(name, *_periods_of(grains.get(name), own), *_last_run(own)) for name, own in ran.items()],
    )
    for name, missing in gaps.items():
        if missing:
            click.echo(f"missing: {name} {_ranges(missing, grains[name])}")
    if never := [name for name in grains if name not in ran]:
        click.echo(f"never ran: {', '.join(never)}")


def _periods_of(grain: Grain | None, entries: list[Entry]) -> tuple[str | int | None, ...]:
    """Grain, periods done and missing, first and last; nothing for ingest, which runs when files come."""
    if grain is None:
        return (None,) * 5
    done = _done(grain, entries)
    ends = (_name(min(done), grain), _name(max(done), grain)) if done else (None, None)
    return grain, len(done), len(_missing(grain, entries)), *ends


def _last_run(entries: list[Entry]) -> tuple[str, str, int, float]:
    """When, how it ended, rows of all its tables, seconds."""
    last = [e for e in entries if (e.run_id, e.started_at) == (entries[-1].run_id, entries[-1].started_at)]
    state = "failed" if any(e.status == "failed" for e in last) else "ok"
    when = f"{last[-1].started_at.astimezone():%Y-%m-%d %H:%M}"
    return when, state, sum(e.rows_out or 0 for e in last), last[-1].seconds


def _done(grain: Grain, entries: list[Entry]) -> set[date]:
    """First days of the periods whose last run was ok; a run over many days counts for each of them."""
    state: dict[date, str] = {}
    for entry in entries:
        for first in _periods(grain, entry.span):
            state[first] = entry.status
    return {first for first, last_state in state.items() if last_state == "ok"}


def _missing(grain: Grain, entries: list[Entry]) -> list[date]:
    done = _done(grain, entries)
    tried = [first for entry in entries for first in _periods(grain, entry.span)]
    return sorted(set(_periods(grain, Span(min(tried), max(tried)))) - done)


def _periods(grain: Grain, span: Span) -> list[date]:
    return [month.start for month in span.months()] if grain == "month" else list(span.days())


def _name(first: date, grain: Grain) -> str:
    return f"{first:%Y-%m}" if grain == "month" else str(first)


def _ranges(missing: list[date], grain: Grain) -> str:
    """Neighbours joined: 2026-03-04..2026-03-06, 2026-03-09."""
    runs: list[list[date]] = []
    for first in missing:
        if runs and len(_periods(grain, Span(runs[-1][-1], first))) == 2:
            runs[-1].append(first)
        else:
            runs.append([first])
    named = ["..".join(dict.fromkeys((_name(run[0], grain), _name(run[-1], grain)))) for run in runs]
    return ", ".join(named[:SHOWN]) + (f" and {len(named) - SHOWN} more ranges" if len(named) > SHOWN else "")
