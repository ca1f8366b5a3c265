"""`visitgrain demo`: the whole chain over a simulated world, in one process, ending with what was written where."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import click
from deltalake import DeltaTable

from visitgrain.cli.text_table import echo_table
from visitgrain.errors import UsageError
from visitgrain.runtime.context import Context
from visitgrain.runtime.storage import Store
from visitgrain.tables import TABLES

DAY = click.DateTime(["%Y-%m-%d"])


@dataclass(frozen=True)
class Feed:
    """What was simulated; the same feed is not simulated twice."""

    subscribers: int
    start: str
    end: str
    seed: int
    world: str  # hash of conf/simulation.yaml


@click.command()
@click.option("--subscribers", default=20_000, show_default=True, help="Size of the simulated world.")
@click.option("--from", "start", type=DAY, default="2025-01-01", show_default=True, help="First day.")
@click.option("--to", "end", type=DAY, default="2025-03-31", show_default=True, help="Last day.")
@click.option("--seed", default=1, show_default=True, help="Another seed, another world.")
@click.option("--path", "folder", type=click.Path(path_type=Path), default="data/simulated", show_default=True)
@click.pass_context
def demo(
    click_context: click.Context, subscribers: int, start: datetime, end: datetime, seed: int, folder: Path
) -> None:
    """Simulate a small world and run ingest, visits, features and segments over it."""
    context: Context = click_context.obj
    began, first, last = datetime.now(UTC), start.date(), end.date()
    world = sha256((context.conf / "simulation.yaml").read_bytes()).hexdigest()[:16]
    _simulate_once(click_context, Feed(subscribers, str(first), str(last), seed, world), folder)
    _run(click_context, "ingest", "--source", "canonical", "--path", str(folder))
    _run(click_context, "backfill", "monthly", "--from", f"{first:%Y-%m}", "--to", f"{last:%Y-%m}")
    _report(context, began)
    _suggest(first, last)


def _simulate_once(click_context: click.Context, feed: Feed, folder: Path) -> None:
    """Simulates beside `folder` and moves the result there, so a feed is whole or absent. Raises UsageError."""
    stamp = folder.with_suffix(".json")
    known = json.loads(stamp.read_text()) if stamp.is_file() else None
    if folder.exists() and known == asdict(feed):
        click.echo(f"{folder}: simulated before with the same parameters, kept")
        return
    if folder.exists():
        found = f"of another world ({known})" if known else "not simulated by this command"
        raise UsageError(f"{folder}: {found}; remove it and the tables made from it, or name another --path and lake")
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    size = ["--subscribers", str(feed.subscribers), "--from", feed.start, "--to", feed.end, "--seed", str(feed.seed)]
    _run(click_context, "simulate", *size, "--out", str(part))
    part.rename(folder)
    stamp.write_text(json.dumps(asdict(feed), indent=1) + "\n")


def _run(click_context: click.Context, *arguments: str) -> None:
    """Runs a command of this program in this process, with the same settings and the same Spark session."""
    click.echo(click.style(f"\n$ visitgrain {shlex.join(arguments)}", bold=True))
    began, root = time.monotonic(), click_context.find_root()
    assert isinstance(root.command, click.Group)
    name, command, rest = root.command.resolve_command(root, list(arguments))
    assert command is not None
    with command.make_context(name, rest, parent=root) as inner:
        command.invoke(inner)
    click.echo(f"{time.monotonic() - began:.1f} s")


def _report(context: Context, began: datetime) -> None:
    """One line per table of the lake: rows now, seconds of this run's jobs, place."""
    seconds: Counter[str] = Counter()
    for entry in context.ledger.entries():
        if entry.started_at >= began:
            seconds[entry.table_name] += entry.seconds
    store = Store(context.settings.lake)
    made = [name for name in TABLES if store.exists(f"{name}/_delta_log")]
    # Rows are counted from the table's log alone.
    rows = [(name, DeltaTable(store.path(name)).count(), seconds[name], store.path(name)) for name in made]
    click.echo()
    echo_table(("table", "rows", "seconds", "where"), rows)
    total = (datetime.now(UTC) - began).total_seconds()
    click.echo(f"{len(made)} tables in {total:.0f} s; run {context.run_id}")


def _suggest(first: date, last: date) -> None:
    month, months = f"{last:%Y-%m}", f"--from {first:%Y-%m} --to {last:%Y-%m}"
    click.echo("\nnext, for example (commands are in .venv/bin):")
    for command, why in (
        ("visitgrain status", "which days and months are there"),
        (f"visitgrain explain subscriber ID --month {month}", "inputs, levels and segment of one subscriber"),
        (f"visitgrain backfill monthly_metrics {months}", "157 metrics of every subscriber and slice"),
        ("visitgrain metrics list --first-screen", "what they mean; then `metrics diff`, `metrics export`"),
        (f"visitgrain run monthly --date {last}", "run it again: the same tables"),
        (f"visitgrain plan monthly --date {last}", "what a run reads and writes, without Spark"),
        ("visitgrain config show --origin", "every setting and where it comes from"),
    ):
        click.echo(f"  {command:<64} {why}")
