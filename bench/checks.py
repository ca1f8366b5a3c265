"""Did both sides compute the same? Row counts, the sum of every number, and each value of each row but for hash ids."""

from __future__ import annotations

import duckdb

from visitgrain.tables import Table
from visitgrain.tables.visiting import DAY_TYPE

NUMBERS = ("int", "bigint", "double")
# Hashes differ by engine; what a row is known by instead.
HASHED = ("visit_id",)
KEYS = {"visits": ("device_id", "channel", "start")}
# Rows that both sides make: rivals do not stitch, so the history of anonymous visits is another.
COMPARED = {"visits": "stitch_method in ('every_event', 'same_visit')"}
PARTS = 1_000_000  # doubles are compared in millionths


def assert_same(table: Table, ours: str, theirs: str, rival: str) -> None:
    """Compares the Parquet files of both globs. Raises AssertionError that names the first difference."""
    columns = [column for column in table.columns if column.name not in HASHED]
    with duckdb.connect(config={"memory_limit": "8GB"}) as engine:
        for name, files in (("ours", ours), ("theirs", theirs)):
            selected = ", ".join(_comparable(column.name, column.type) for column in columns)
            engine.execute(
                f"create view {name} as select {selected} from read_parquet('{files}', hive_partitioning = true) "
                f"where {COMPARED.get(table.name, 'true')}"
            )
        totals = ["count(*)", *(f'sum("{c.name}"::decimal(38, 6))' for c in columns if c.type in NUMBERS)]
        mine, other = (engine.execute(f"select {', '.join(totals)} from {n}").fetchall()[0] for n in ("ours", "theirs"))
        for total, left, right in zip(totals, mine, other, strict=True):
            assert left == right, f"{table.name}: {total} is {left} here, {right} with {rival}"
        for column in columns:
            _assert_same_rows(engine, table, column.name, rival)


def _assert_same_rows(engine: duckdb.DuckDBPyConnection, table: Table, column: str, rival: str) -> None:
    """Same (key, value) pairs in any order: equal multisets have the same sum of hashes."""
    pair = ", ".join(f'"{name}"' for name in (*KEYS.get(table.name, table.key), column))
    hashed = f"select sum(hash(row({pair}))::hugeint) from"
    ours, theirs = (engine.execute(f"{hashed} {name}").fetchone() for name in ("ours", "theirs"))
    if ours != theirs:
        found = engine.execute(f"select {pair} from ours except select {pair} from theirs limit 3").fetchall()
        raise AssertionError(f"{table.name}: {column} differs from {rival}'s in some row; only here: {found}")


# Engines write integers of other widths and text as dictionaries; values are compared in these types.
TYPES = {
    "int": "bigint",
    "bigint": "bigint",
    "string": "varchar",
    DAY_TYPE: "struct(day date, events bigint, active_events bigint, seconds bigint)[]",
    "array<string>": "varchar[]",
}


def _comparable(name: str, type_: str) -> str:
    quoted = f'"{name}"'
    if type_ == "timestamp":
        return f"epoch_us({quoted}) as {quoted}"
    if type_ == "double":
        # The last bits depend on the order of operations. The odd offset keeps round values away from the edges.
        return f"floor({quoted} * {PARTS} + 0.2718)::bigint as {quoted}"
    if type_.startswith("map"):
        return f"list_sort(map_entries({quoted}))::struct(key varchar, value double)[] as {quoted}"
    return f"{quoted}::{TYPES.get(type_, type_)} as {quoted}"
