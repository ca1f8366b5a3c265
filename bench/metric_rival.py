"""DuckDB's side: `python -m bench.metric_rival` reads {task, lake, target, runs} and prints its usage."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from bench.contestants import MEMORY, catalogue
from bench.harness import timed
from bench.product import CORES
from bench.rivals.duckdb_metrics import connect, wide_table
from bench.rivals.duckdb_populations import populations
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.population_rows import Asked
from visitgrain.metrics.slices import ALL, ATTRIBUTES, SLICE
from visitgrain.metrics.snapshots import snapshot_months
from visitgrain.metrics.windows import at_the_end, windows_of

Files = dict[str, list[str]]
Compute = Callable[[duckdb.DuckDBPyConnection], None]
DUCKDB = "DuckDB, one query a family"
TABLES = {
    "days": "subscriber_days",
    "slices": "subscriber_slice_days",
    "states": "subscriber_state",
    "snapshots": "subscriber_month",
    "products": "products",
    "consumption": "consumption_segments",
    "behaviour": "behaviour_segments",
}


def main() -> None:
    request = json.load(sys.stdin)
    lake, target = Path(request["lake"]), Path(request["target"])
    compute = TASKS[request["task"]]({name: _live(lake / table) for name, table in TABLES.items()}, target)

    def run() -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with connect(CORES, MEMORY) as engine:
            compute(engine)

    print(json.dumps(asdict(timed(DUCKDB, run, request["runs"]))))


def _wide(files: Files, target: Path) -> Compute:
    from bench.metrics import MONTH, WINDOWS

    plans = replace(Plans.of_subscribers(catalogue()), windows=WINDOWS)
    windows = list(at_the_end(plans.windows, MONTH))
    months = snapshot_months(_months(files["snapshots"]), windows, plans)
    files = {name: paths for name, paths in files.items() if name != "slices"}
    return partial(wide_table, files=files, plans=plans, windows=windows, months=months, target=target)


def _populations(files: Files, target: Path) -> Compute:
    from bench.metrics import DAY, DAY_WINDOWS

    plans = replace(Plans.daily(catalogue()), windows=DAY_WINDOWS)
    asked = Asked.of(plans, list(windows_of(plans.windows, DAY)))
    months = snapshot_months(_months(files["snapshots"]), asked.windows, asked.people)
    return partial(populations, files=files, asked=asked, months=months, target=target)


TASKS: dict[str, Callable[[Files, Path], Compute]] = {"wide": _wide, "populations": _populations}


def _live(table: Path) -> list[str]:
    """Files of the newest version."""
    return sorted(DeltaTable(str(table)).file_uris())


def _months(files: list[str]) -> set[date]:
    """Months of which there are snapshots."""
    folders = {Path(file).parent.name for file in files}
    return {date.fromisoformat(folder.removeprefix("month=")) for folder in folders}


def assert_same_values(rows: pa.Table, target: Path, plans: Plans) -> None:
    """Raises AssertionError where DuckDB's value of a subscriber, window and metric is another one. Values that the
    product does not tell, as history does not reach so far, are not compared."""
    ours = pl.DataFrame(pl.from_arrow(rows))
    compared = 0
    for window in plans.windows:
        own = ours.filter(pl.col("window") == window).sort("subscriber_id")
        for path in sorted(target.glob(f"{window}-*.parquet")):
            theirs = pl.read_parquet(path).sort("subscriber_id")
            assert own["subscriber_id"].equals(theirs["subscriber_id"]), f"{window}: other subscribers"
            for name in theirs.columns[1:]:
                if own[name].null_count() < own.height:
                    _assert_close(own[name], theirs[name], f"{name} in {window}")
                    compared += 1
    print(f"{compared} columns of {ours.height} rows are the same in DuckDB")


def assert_same_populations(rows: pa.Table, target: Path, plans: Plans) -> None:
    """The same for populations: of everybody and of slices. Cells that only one side knows are refused."""
    ours = pl.DataFrame(pl.from_arrow(rows)).select("metric", "window", *SLICE, "value")
    asked, compared = Asked.of(plans, []), 0
    for path in sorted(target.glob("*.parquet")):
        window, of, _ = path.stem.split("-", 2)
        theirs = pl.read_parquet(path)
        if of == "people":
            theirs = theirs.with_columns(_slice(), pl.coalesce(*ATTRIBUTES, pl.lit(ALL)).alias("slice_value"))
        for metric in (name for name in theirs.columns if name in plans.wanted):
            allowed = (ALL, *ATTRIBUTES) if of == "people" else asked.events.catalogue.slices(metric)
            here = (pl.col("window") == window) & (pl.col("metric") == metric) & pl.col("slice").is_in(allowed)
            own = ours.filter(here).sort(SLICE)
            other = theirs.filter(pl.col("slice").is_in(allowed)).sort(SLICE)
            assert own.select(SLICE).equals(other.select(SLICE)), f"{metric} in {window} of {of}: other cells"
            if own["value"].null_count() < own.height:
                _assert_close(own["value"], other[metric], f"{metric} in {window} of {of}")
                compared += own.height
    print(f"{compared} of {ours.height} values are the same in DuckDB", flush=True)


def _slice() -> pl.Expr:
    """The attribute of the grouping set: all bits but its own are set."""
    every = (1 << len(ATTRIBUTES)) - 1
    names = {every & ~(1 << place): name for place, name in enumerate(reversed(ATTRIBUTES))} | {every: ALL}
    return pl.col("which").replace_strict(names, return_dtype=pl.String).alias("slice")


def _assert_close(ours: pl.Series, theirs: pl.Series, what: str) -> None:
    a, b = (each.cast(pl.Float64).to_numpy() for each in (ours, theirs))
    different = ~np.isclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)
    row = int(np.argmax(different))
    assert not different.any(), f"{what}: {different.sum()} differ, such as {a[row]} and {b[row]}"


if __name__ == "__main__":
    main()
