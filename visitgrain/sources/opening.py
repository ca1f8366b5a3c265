"""From accepted files to staged rows of one table: readers chosen, fields named, expressions compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import DataFrame, SparkSession

from visitgrain.catalogue.source import Source
from visitgrain.expressions import keyed_hash
from visitgrain.expressions.typed import Scope
from visitgrain.sources.gate import Accepted, reads
from visitgrain.sources.mapping import Load, staged
from visitgrain.sources.reading import Rows, parquet_rows, text_rows
from visitgrain.sources.rows import Layout
from visitgrain.tables import Table


def opened_rows(spark: SparkSession, accepted: Sequence[Accepted], source: Source, table: Table) -> list[Rows]:
    """Parquet files grouped by schema, so that a type may differ between files; text files in one group."""
    mapping = source.tables[table.name]
    if source.format != "parquet":
        present = {name for item in accepted for name in item.columns or ()}
        wanted = sorted(reads(mapping, table, present))
        return [text_rows(spark, accepted, Layout.of(source), wanted)]
    groups: dict[object, list[Accepted]] = {}
    for item in accepted:
        groups.setdefault(str(item.schema), []).append(item)
    nulls = Layout.of(source).nulls
    return [
        parquet_rows(spark, group, sorted(reads(mapping, table, group[0].columns or ())), source.zone, nulls)
        for group in groups.values()
    ]


def staged_rows(groups: Sequence[Rows], table: Table, load: Load, key: Callable[[], bytes]) -> DataFrame:
    """Every row read, mapped, with its fate. `key` is asked for only where the mapping makes pseudonyms."""

    def of_group(rows: Rows) -> DataFrame:
        scope = Scope(
            columns=rows.columns,
            zone=load.source.zone,
            subscriber_ids=lambda column: keyed_hash.subscriber_ids(key())(column),
            device_ids=lambda column: keyed_hash.device_ids(key())(column),
        )
        return staged(rows, table, scope, load)

    return reduce(DataFrame.unionByName, map(of_group, groups))
