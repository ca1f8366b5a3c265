"""Daily increments against one full run: `python -m bench.increments [--millions 7]`. Prints; writes no page.

The events of the made-up month are given to the lake day by day, each followed by a run of the daily pipeline, in one
warm process. Then the month is run at once, on a lake of its own, and what both wrote is compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import median

from pyspark.sql import functions as F

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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.increments", description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, default=7.0, help="events of the month")
    parser.add_argument("--late", type=float, default=0.001, help="share of a day's events that come two days late")
    arguments = parser.parse_args()
    files = data.events_files(FOLDER, arguments.millions)
    by_day, at_once = (empty_lake(name) for name in ("increments", "at-once"))
    seconds: list[float] = []
    for day in product.SPAN.days():
        _give(by_day, files, day, late=arguments.late)
        with timed(f"{day}") as took:
            run_pipeline(daily.PIPELINE, Span(day, day), by_day)
        seconds += took
    _give(by_day, files, None, late=arguments.late)
    run_pipeline(daily.PIPELINE, Span(product.SPAN.end, product.SPAN.end), by_day)
    _give(at_once, files, None, late=1.0)
    with timed("the month at once") as took:
        run_pipeline(daily.PIPELINE, product.SPAN, at_once)
    with timed("the month at once, again") as took:
        run_pipeline(daily.PIPELINE, product.SPAN, at_once)
    tenth, last = median(seconds[8:11]), median(seconds[-3:])
    print(f"day 10: {tenth:.1f} s, last days: {last:.1f} s, {last / took[0]:.0%} of the month at once")
    print(f"visits are {'the same' if _contents(by_day) == _contents(at_once) else 'NOT THE SAME'}")


def empty_lake(name: str) -> Context:
    folder = FOLDER / f"lake-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    return product.open_lake(folder)


def _give(context: Context, files: Path, day: date | None, *, late: float) -> None:
    """The events of `day`, a share of them two days later; None: all that is left of the share."""
    events = context.spark.read.parquet(str(files))
    columns = [F.col(c.name).cast(c.type).alias(c.name) for c in EVENTS.columns]
    held_back = F.pmod(F.xxhash64("event_id"), F.lit(100_000)) < F.lit(int(late * 100_000))
    arrives = F.when(held_back, F.date_add("event_date", 2)).otherwise(F.col("event_date"))
    chosen = arrives == F.lit(day) if day else (arrives > F.lit(product.SPAN.end)) | F.lit(late == 1.0)
    context.lake.append(EVENTS, events.where(chosen).select(*columns), run_id=context.run_id)


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
