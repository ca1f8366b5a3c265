"""DuckDB's side of the wide table: `python -m bench.metric_rival` reads {lake, target, runs} and prints its usage."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from bench.contestants import MEMORY, catalogue
from bench.harness import timed
from bench.product import CORES
from bench.rivals.duckdb_metrics import connect, wide_table
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.snapshots import snapshot_months
from visitgrain.metrics.windows import at_the_end

DUCKDB = "DuckDB, one query a family"
TABLES = {
    "days": "subscriber_days",
    "states": "subscriber_state",
    "snapshots": "subscriber_month",
    "products": "products",
    "consumption": "consumption_segments",
    "behaviour": "behaviour_segments",
}


def main() -> None:
    from bench.metrics import MONTH, WINDOWS

    request = json.load(sys.stdin)
    lake, target = Path(request["lake"]), Path(request["target"])
    plans = replace(Plans.of_subscribers(catalogue()), windows=WINDOWS)
    windows = list(at_the_end(plans.windows, MONTH))
    files = {name: _live(lake / table) for name, table in TABLES.items()}
    months = snapshot_months(_months(files["snapshots"]), windows, plans)

    def run() -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with connect(CORES, MEMORY) as engine:
            wide_table(engine, files, plans, windows, months, target)

    print(json.dumps(asdict(timed(DUCKDB, run, request["runs"]))))


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


def _assert_close(ours: pl.Series, theirs: pl.Series, what: str) -> None:
    a, b = (each.cast(pl.Float64).to_numpy() for each in (ours, theirs))
    different = ~np.isclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)
    row = int(np.argmax(different))
    assert not different.any(), f"{what}: {different.sum()} differ, such as {a[row]} and {b[row]}"


if __name__ == "__main__":
    main()
