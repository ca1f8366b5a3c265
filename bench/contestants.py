"""Who takes part in which task. All sides read the same Parquet files: the data files of the product's lake."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from bench import data, product
from bench.rivals import duckdb_segments, duckdb_visits, polars_visits
from visitgrain.catalogue.catalogue import Catalogue, load_catalogue
from visitgrain.runtime.job import Job
from visitgrain.runtime.settings import default_conf
from visitgrain.tables import Table
from visitgrain.tables.inputs import EVENTS, SUBSCRIBER_MONTH
from visitgrain.tables.visiting import VISIT_DAYS, VISITS

FOLDER = Path("build/bench")
MEMORY = "12GB"  # what DuckDB may use before it spills
PRODUCT = "visitgrain"
MOST_MILLIONS = {"polars": 15}  # it needs 0.7 GiB per million


@dataclass(frozen=True)
class Task:
    """The product makes `tables` with `jobs`; every rival makes the same, and all are compared."""

    name: str
    tables: tuple[Table, ...]
    jobs: tuple[Job, ...]
    rivals: dict[str, Callable[[Path, Path], None]]  # (lake, output folder)

    def rivals_at(self, millions: float) -> tuple[str, ...]:
        """Those that hold so many events in the memory of this machine."""
        return tuple(name for name in self.rivals if millions <= MOST_MILLIONS.get(name, millions))

    def output(self, side: str, millions: float) -> Path:
        return lake(millions) if side == PRODUCT else FOLDER / f"{side}-{self.name}-{millions:g}m"

    def clear(self, side: str, millions: float) -> None:
        """Nothing of an earlier run is left when a run begins."""
        if side == PRODUCT:
            product.drop(lake(millions), self.jobs)
        else:
            shutil.rmtree(self.output(side, millions), ignore_errors=True)
            for table in self.tables:
                (self.output(side, millions) / table.name).mkdir(parents=True)

    def run(self, side: str, millions: float) -> None:
        if side == PRODUCT:
            product.run(product.open_lake(lake(millions)), self.jobs)
        else:
            self.rivals[side](lake(millions), self.output(side, millions))

    def files(self, side: str, table: Table, millions: float) -> str:
        """Glob of the Parquet files of `table`."""
        return f"{self.output(side, millions) / table.name}/**/*.parquet"


def lake(millions: float) -> Path:
    return FOLDER / f"lake-{millions:g}m"


def prepare(task: Task, millions: float) -> None:
    """The tables that `task` reads, made once and not timed."""
    context = product.open_lake(lake(millions))
    if not context.lake.has(EVENTS):
        product.load(context, EVENTS, data.events_files(FOLDER, millions))
    if not context.lake.has(SUBSCRIBER_MONTH):
        product.load(context, SUBSCRIBER_MONTH, data.snapshot_file(FOLDER, millions))
    if task is SEGMENTS and not (context.lake.has(VISITS) and context.lake.has(VISIT_DAYS)):
        product.drop(lake(millions), (*product.VISIT_JOBS, *product.SPLIT_JOBS))
        product.run(context, (*product.VISIT_JOBS, *product.SPLIT_JOBS))


@cache
def catalogue() -> Catalogue:
    return load_catalogue(default_conf(), zone="Asia/Shanghai", visit_rules="default")


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    return duckdb_visits.connect(product.CORES, MEMORY)


def _parquet(lake: Path, table: Table) -> str:
    return f"{lake / table.name}/*/*.parquet"


def _duckdb_visits(lake: Path, target: Path) -> None:
    duckdb_visits.build_visits(_duckdb(), _parquet(lake, EVENTS), target / VISITS.name, catalogue())


def _polars_visits(lake: Path, target: Path) -> None:
    polars_visits.build_visits(_parquet(lake, EVENTS), target / VISITS.name / "part.parquet", catalogue())


def _duckdb_segments(lake: Path, target: Path) -> None:
    visits, days, snapshots = (_parquet(lake, table) for table in (VISITS, VISIT_DAYS, SUBSCRIBER_MONTH))
    duckdb_segments.build_segments(_duckdb(), visits, days, snapshots, target, catalogue())


BUILD_VISITS = Task("visits", (VISITS,), product.VISIT_JOBS, {"duckdb": _duckdb_visits, "polars": _polars_visits})
SEGMENTS = Task("segments", duckdb_segments.TABLES, product.SEGMENT_JOBS, {"duckdb": _duckdb_segments})
TASKS = {task.name: task for task in (BUILD_VISITS, SEGMENTS)}
