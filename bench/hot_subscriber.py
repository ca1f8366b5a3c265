"""A subscriber with 30 % of all events against an even month: `python -m bench.hot_subscriber [--millions 2]`. Prints.

Both months have the same number of events and are rebuilt in turns, in one warm process.
"""

from __future__ import annotations

import argparse
from statistics import median

from pyspark.sql import functions as F

from bench import data, product
from bench.contestants import FOLDER
from bench.increments import empty_lake, timed
from pipelines import daily
from visitgrain.runtime.runner import run_pipeline
from visitgrain.tables.inputs import EVENTS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.hot_subscriber", description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, default=2.0, help="events of the month")
    parser.add_argument("--share", type=float, default=0.3, help="of all events that are the hot subscriber's")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    lakes = {"even": empty_lake("even"), "hot": empty_lake("hot")}
    events = lakes["even"].spark.read.parquet(str(data.events_files(FOLDER, arguments.millions)))
    columns = {c.name: F.col(c.name).cast(c.type) for c in EVENTS.columns}
    is_hot = F.pmod(F.xxhash64("event_id"), F.lit(1000)) < F.lit(int(arguments.share * 1000))
    one = {"device_id": F.lit("hot"), "channel": F.lit("web"), "subscriber_id": F.lit(1).cast("bigint")}
    given = {"even": columns, "hot": columns | {n: F.when(is_hot, v).otherwise(columns[n]) for n, v in one.items()}}
    for name, lake in lakes.items():
        rows = events.select(*(column.alias(c) for c, column in given[name].items()))
        lake.lake.append(EVENTS, rows, run_id=lake.run_id)
    seconds: dict[str, list[float]] = {name: [] for name in lakes}
    for turn in range(arguments.runs + 1):
        for name, lake in lakes.items():
            with timed(f"run {turn}, {name}") as took:
                run_pipeline(daily.PIPELINE, product.SPAN, lake)
            if turn:  # the first one warms up
                seconds[name] += took
    even, hot = median(seconds["even"]), median(seconds["hot"])
    print(f"even: {even:.1f} s, hot: {hot:.1f} s, {hot / even:.2f} x")


if __name__ == "__main__":
    main()
