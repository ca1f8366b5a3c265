"""`visitgrain simulate` on Spark: the same files as its parts make alone, in the layout and the types of a feed."""

from __future__ import annotations

from datetime import date

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.jobs.runtime_world import context
from visitgrain.cli.data import simulate as command
from visitgrain.errors import UsageError
from visitgrain.simulation import simulate
from visitgrain.simulation.columns import feed_schema
from visitgrain.simulation.files import UNFINISHED, write_part
from visitgrain.simulation.parts import Feed
from visitgrain.simulation.world import load_world
from visitgrain.span import Span
from visitgrain.tables.inputs import (
    CAMPAIGN_AUDIENCES,
    CAMPAIGN_EXPOSURES,
    EVENTS,
    NUMBERS,
    ORDERS,
    PRODUCTS,
    SUBSCRIBER_MONTH,
)

START, END = date(2025, 1, 25), date(2025, 3, 12)  # three months: three parts, two cores
INPUTS = (CAMPAIGN_AUDIENCES, CAMPAIGN_EXPOSURES, EVENTS, NUMBERS, ORDERS, PRODUCTS, SUBSCRIBER_MONTH)
DELIVERED_BY_DAY = ("events", "orders", "campaign_audiences", "campaign_exposures")


@pytest.fixture(scope="module")
def feed(spark, tmp_path_factory):
    """200 subscribers, by the command."""
    folder = tmp_path_factory.mktemp("simulated")
    size = ["--subscribers", "200", "--from", str(START), "--to", str(END), "--seed", "7"]
    made = context(spark, folder / "lake")
    result = CliRunner().invoke(command, [*size, "--out", str(folder / "feed")], obj=made, catch_exceptions=False)
    assert result.exit_code == 0
    return folder / "feed", result.output


def test_spark_writes_the_files_that_the_parts_make_alone(feed, tmp_path):
    folder, _ = feed
    parts = Feed(200, Span(START, END), 7, "Asia/Shanghai", load_world())
    for number in reversed(range(parts.parts)):
        write_part(parts, number, tmp_path)
    expected = {str(file.relative_to(tmp_path)): file.read_bytes() for file in tmp_path.rglob("*.parquet")}
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}
    assert len(expected) > 60
    assert {name: found.get(name) for name in expected} == expected
    assert set(found) - set(expected) == {"products/all.parquet", "_truth/placements/all.parquet"}
    assert not (folder / UNFINISHED).exists()


@pytest.mark.parametrize("table", INPUTS, ids=lambda table: table.name)
def test_files_have_the_canonical_columns_and_types(spark, feed, table):
    folder, said = feed
    files = [*(folder / table.name).rglob("*.parquet")]
    declared = spark.createDataFrame([], table.ddl).schema
    expected = [(f.name, f.dataType) for f in declared if f.name in feed_schema(table).names]
    assert [(f.name, f.dataType) for f in spark.read.parquet(str(files[0])).schema] == expected
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    assert [table.name, str(rows)] in [line.replace(",", "").split() for line in said.splitlines()]
    days = {file.parent.name for file in files if table.name in DELIVERED_BY_DAY}
    assert days <= {f"day={day}" for day in Span(START, END).days()}


def test_refuses_a_folder_that_holds_something(spark, feed):
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        simulate(spark, subscribers=1, start=START, end=END, seed=1, out=feed[0])
