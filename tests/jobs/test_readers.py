"""Every output table is read by engines other than Spark, and they see the same numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from delta.tables import DeltaTable as DeltaSparkTable
from deltalake import DeltaTable, QueryBuilder
from pyspark.sql import functions as F

from tests.jobs.runtime_world import context
from visitgrain.runtime.context import Context
from visitgrain.tables import TABLES, Kind

READABLE = [table for table in TABLES.values() if table.kind is not Kind.INTERNAL]
NUMBERS = ("int", "bigint", "double")
# Features the compatibility profile forbids: each makes some engine fail, or worse, read nulls.
READER_VERSION = 1


def sums_by_spark(world, table) -> dict[str, float]:
    columns = [c.name for c in table.columns if c.type in NUMBERS]
    frame = world.spark.read.format("delta").load(world.lake.path(table))  # the suite itself reads by the log
    assert frame.count() == world.lake.read(table).count()
    row = frame.agg(
        F.count(F.lit(1)).alias("_rows"), *[F.sum(F.col(c).cast("double")).alias(c) for c in columns]
    ).first()
    return row.asDict()


@pytest.fixture(scope="module")
def made_up_world(spark, small_world, tmp_path_factory) -> Context:
    """Three made-up rows in each table that the pipelines of the small world do not write."""
    made = context(spark, tmp_path_factory.mktemp("made_up") / "lake")
    for table in READABLE:
        if not small_world.lake.has(table):
            schema = made.lake.writer(table).schema
            rows = [{field.name: made_up(field.type, number) for field in schema} for number in range(1, 4)]
            frame = spark.createDataFrame(pa.Table.from_pylist(rows, schema))
            part = table.parts[0] if table.parts else None
            made.lake.commit(made.lake.stage(table, frame, replaces=None, part=part), run_id="made-up")
    return made


def made_up(kind: pa.DataType, number: int) -> Any:
    """A value of the type; another one for every number, but one and the same date."""
    values = {pa.date32(): date(2026, 3, 1), pa.bool_(): number % 2 == 0, pa.string(): f"text {number}"}
    if pa.types.is_timestamp(kind):
        return datetime(2026, 3, number, 12, tzinfo=UTC)
    if pa.types.is_map(kind):
        return [(made_up(kind.key_type, number), made_up(kind.item_type, number))]
    if pa.types.is_list(kind):
        return [made_up(kind.value_type, number)] * number
    if pa.types.is_struct(kind):
        return {field.name: made_up(field.type, number) for field in kind}
    return values.get(kind, number)


@pytest.mark.parametrize("table", READABLE, ids=lambda table: table.name)
def test_four_readers_agree_with_spark(small_world, made_up_world, table):
    world = small_world if small_world.lake.has(table) else made_up_world
    expected = sums_by_spark(world, table)
    delta = DeltaTable(world.lake.path(table))
    assert delta.protocol().min_reader_version == READER_VERSION
    columns = [name for name in expected if name != "_rows"]
    by_pyarrow = delta.to_pyarrow_table()
    assert_same(
        {"_rows": len(by_pyarrow), **{c: pc.sum(by_pyarrow[c].cast("float64", safe=False)).as_py() for c in columns}},
        expected,
    )
    listed = ", ".join(["count(*) AS _rows", *[f'sum(CAST("{c}" AS DOUBLE)) AS "{c}"' for c in columns]])
    by_query = QueryBuilder().register("t", delta).execute(f"SELECT {listed} FROM t").read_all()
    assert_same({name: by_query.column(name)[0].as_py() for name in expected}, expected)
    by_polars = pl.scan_delta(str(world.lake.path(table))).select(
        pl.len().alias("_rows"), pl.col(columns).cast(pl.Float64).sum()
    )
    assert_same(by_polars.collect().row(0, named=True), expected)
    if expected["_rows"]:
        # Partition columns live in the path, not in the files: they are dates, so no sum misses them.
        files = duckdb.connect().execute(f"SELECT {listed} FROM read_parquet(?)", [delta.file_uris()])
        assert_same(dict(zip([d[0] for d in files.description], files.fetchone(), strict=True)), expected)


def assert_same(found: dict[str, float | None], expected: dict[str, float | None]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert (found[name] or 0) == pytest.approx(value or 0, rel=1e-9), name


def test_the_profile_is_guarded(small_world, tmp_path):
    """Control: with a feature that old readers do not know, reading is refused."""
    from visitgrain.errors import GateRefused
    from visitgrain.runtime.lake import Lake
    from visitgrain.tables.inputs import PRODUCTS

    spark = small_world.spark
    lake = Lake(spark, str(tmp_path / "lake"), "Asia/Shanghai")
    lake.replace(PRODUCTS, small_world.lake.read(PRODUCTS), window=None, run_id="r1")
    DeltaSparkTable.forPath(spark, lake.path(PRODUCTS)).addFeatureSupport("deletionVectors")
    lake = Lake(spark, str(tmp_path / "lake"), "Asia/Shanghai")  # the protocol is asked once per table and run
    with pytest.raises(GateRefused, match="reader protocol 3"):
        lake.read(PRODUCTS)
