"""Daily increments against one full run: `python -m bench.increments [--millions 7] [--months 1]`. Prints only.

The events of the made-up month, and the same again some times, are given to the lake day by day, each followed by a run
of the daily pipeline, in one warm process. Then all is run at once, on a lake of its own, and what both wrote is
compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import reduce
from pathlib import Path
from statistics import median

from pyspark.sql import Column, DataFrame, functions as F

from bench import data, product
from bench.contestants import FOLDER
from bench.measure import measured
from pipelines import daily
from visitgrain.runtime.content import Content, by_partition
from visitgrain.runtime.context import Context
from visitgrain.runtime.runner import run_pipeline
from visitgrain.span import Span
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.visiting import VISITS

MONTH = 31  # days
LATE = timedelta(days=2)
TENTH = slice(7, 12)  # the days around it


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.increments", description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, default=7.0, help="events of the month")
    parser.add_argument("--months", type=int, default=1, help=f"of {MONTH} days each")
    parser.add_argument("--late", type=float, default=0.001, help="share of a day's events that come two days late")
    arguments = parser.parse_args()
    files, late = data.events_files(FOLDER, arguments.millions), arguments.late
    by_day, at_once = (empty_lake(name) for name in ("increments", "at-once"))
    span = Span(product.SPAN.start, product.SPAN.start + timedelta(days=MONTH * arguments.months - 1))
    seconds: list[float] = []
    for day in span.days():
        append(by_day, of_day(by_day, files, day).where(~is_late(late)))
        if day - LATE >= span.start:
            append(by_day, of_day(by_day, files, day - LATE).where(is_late(late)))
        with timed(f"{day}") as took:
            run_pipeline(daily.PIPELINE, Span(day, day), by_day)
        seconds += took
    for day in (span.end - LATE / 2, span.end):
        append(by_day, of_day(by_day, files, day).where(is_late(late)))
    append(by_day, of_day(by_day, files, span.end + LATE / 2))  # what its last visits have on the day after
    run_pipeline(daily.PIPELINE, Span(span.end, span.end), by_day)
    for month in range(arguments.months):
        append(at_once, of_month(at_once, files, month))
    for label in ("all at once", "all at once, again"):
        with timed(label) as took:
            run_pipeline(daily.PIPELINE, span, at_once)
    tenth, last = median(seconds[TENTH]), median(seconds[-5:])
    print(f"day 10: {tenth:.1f} s, last days: {last:.1f} s, {last / took[0]:.0%} of all at once")
    print(f"visits are {'the same' if _contents(by_day) == _contents(at_once) else 'NOT THE SAME'}")


def empty_lake(name: str) -> Context:
    folder = FOLDER / f"lake-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    return product.open_lake(folder)


def of_month(context: Context, files: Path, month: int) -> DataFrame:
    """The made-up events, as many months later."""
    events, days = context.spark.read.parquet(str(files)), MONTH * month
    later = F.make_interval(days=F.lit(days))
    moved = {name: F.col(name) + later for name in ("event_time", "received_time")}
    moved |= {"event_date": F.date_add("event_date", days), "event_id": F.concat("event_id", F.lit(f"-{month}"))}
    return events.select(*(moved.get(c.name, F.col(c.name)).cast(c.type).alias(c.name) for c in EVENTS.columns))


def of_day(context: Context, files: Path, day: date) -> DataFrame:
    """Of all months: some events of one happen on the first day of the next."""
    month = (day - product.SPAN.start).days // MONTH
    near = [of_month(context, files, number) for number in (month, month - 1) if number >= 0]
    return reduce(DataFrame.unionByName, near).where(F.col("event_date") == F.lit(day))


def is_late(share: float) -> Column:
    return F.pmod(F.xxhash64("event_id"), F.lit(100_000)) < F.lit(int(share * 100_000))


def append(context: Context, events: DataFrame) -> None:
    context.lake.append(EVENTS, events, run_id=context.run_id)


@contextmanager
def timed(label: str) -> Iterator[list[float]]:
    """Wall seconds, one item, once the block has ended."""
    took: list[float] = []
    with measured(os.getpid()) as usage:
        yield took
    took.append(usage.wall_s)
    print(f"{label}: {took[0]:.1f} s, {usage.cpu_s:.1f} CPU s", flush=True)


def _contents(context: Context) -> dict[date | None, Content]:
    return by_partition((file.partition, file.content) for file in context.lake.data_files(VISITS))


if __name__ == "__main__":
    main()
