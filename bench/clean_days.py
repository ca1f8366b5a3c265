"""How often the quality gate stops what is right: `python -m bench.clean_days [--subscribers 20000]`. Prints only.

A world is simulated, with its weeks, holidays and campaigns, and ingested; six weeks are run at once, then the daily
pipeline runs over a few days at a time, through its gate. The control comes last: the last day once more, without half
of its events.
"""

from __future__ import annotations

import argparse
import shutil
from collections import Counter
from datetime import date, timedelta

from pyspark.sql import functions as F

from bench import product
from bench.contestants import FOLDER
from jobs.ingest_source import ingest
from pipelines import daily
from visitgrain.errors import GateRefused
from visitgrain.runtime.context import Context, new_run_id
from visitgrain.runtime.quality.history import checked
from visitgrain.runtime.quality.judge import Verdict
from visitgrain.runtime.runner import run_pipeline
from visitgrain.simulation import simulate
from visitgrain.span import Span
from visitgrain.tables.inputs import EVENTS

BEFORE = timedelta(weeks=6)  # what the gate looks back


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.clean_days", description=__doc__.splitlines()[0])
    parser.add_argument("--subscribers", type=int, default=20_000, help="some 1,000 visits a day")
    parser.add_argument("--first", type=date.fromisoformat, default=date(2025, 1, 1), help="first day of the world")
    parser.add_argument("--days", type=int, default=100, help="that are judged")
    parser.add_argument("--each", type=int, default=5, help="days of a run; the gate judges each by itself")
    arguments = parser.parse_args()
    first, start = arguments.first, arguments.first + BEFORE
    end = start + timedelta(days=arguments.days - 1)
    context = _world(arguments.subscribers, Span(first, end))
    refused = [span for span in [Span(first, start - timedelta(days=1))] if not _passes(context, span)]
    days = list(Span(start, end).days())
    runs = [Span(days[at], days[min(at + arguments.each, len(days)) - 1]) for at in range(0, len(days), arguments.each)]
    refused += [run for run in runs if not _passes(context, run)]
    _report(context, start)
    kept = context.lake.read(EVENTS).where((F.col("event_date") == F.lit(end)) & (F.xxhash64("event_id") % 2 == 0))
    context.lake.replace_days(EVENTS, kept, [end], run_id=context.run_id)
    print(f"{len(refused)} of {len(runs) + 1} runs refused", flush=True)
    print(f"control, half of {end} is lost: {'PASSES' if _passes(context, Span(end, end)) else 'refused'}")


def _world(subscribers: int, span: Span) -> Context:
    lake, feed = FOLDER / "lake-clean-days", FOLDER / "feed-clean-days"
    for folder in (lake, feed):
        shutil.rmtree(folder, ignore_errors=True)
    context = product.open_lake(lake, f"pseudonym_secret_file={FOLDER / 'secret'}")
    simulate(context.spark, subscribers=subscribers, start=span.start, end=span.end, seed=1, out=feed)
    ingest(context, source="canonical", path=feed)
    return context


def _passes(context: Context, span: Span) -> bool:
    context.run_id = new_run_id()
    try:
        run_pipeline(daily.PIPELINE, span, context)
    except GateRefused as error:
        print(f"{span}: {error}", flush=True)
        return False
    return True


def _report(context: Context, start: date) -> None:
    """Verdicts by kind of rule on the days since `start`, and the days for which one blocked."""
    verdicts, blocked = Counter[tuple[str, str]](), set[date]()
    for one in checked(context.lake.store):
        finding = one.finding
        if finding.period is None or finding.period < start:
            continue
        verdicts[finding.kind, str(finding.verdict)] += 1
        if finding.verdict == Verdict.BLOCK:
            blocked.add(finding.period)
    for (kind, verdict), number in sorted(verdicts.items()):
        print(f"{kind:<12} {verdict:<10} {number}")
    print(f"{len(blocked)} days blocked: {', '.join(map(str, sorted(blocked))) or 'none'}", flush=True)


if __name__ == "__main__":
    main()
