"""From accepted files to staged rows of one table: readers chosen, fields named, expressions compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import DataFrame, SparkSession

from visitgrain.catalogue.source import INPUTS, Source, mappable
from visitgrain.errors import ConfigError
from visitgrain.expressions import keyed_hash
from visitgrain.expressions.typed import Scope
from visitgrain.sources.compiling import compiled_mapping
from visitgrain.sources.gate import Accepted, reads
from visitgrain.sources.mapping import Load, staged
from visitgrain.sources.reading import Rows, parquet_rows, text_rows
from visitgrain.tables import Table


def opened_rows(spark: SparkSession, accepted: Sequence[Accepted], source: Source, table: Table) -> list[Rows]:
    """Parquet files grouped by schema, so that a type may differ between files; text files in one group."""
    mapping = source.tables[table.name]
    if source.format != "parquet":
        # Keys of JSON come and go: what is read must not depend on which files come together.
        keys = mappable(table) if source.format == "json" else ()
        present = {*keys, *(name for item in accepted for name in item.columns or ())}
        return [text_rows(spark, accepted, source, sorted(reads(mapping, table, present)))]
    return [
        parquet_rows(spark, group, source, sorted(reads(mapping, table, group[0].columns or ())))
        for group in _alike(accepted)
    ]


def _alike(accepted: Sequence[Accepted]) -> list[list[Accepted]]:
    """Files of one schema that feed the same tables."""
    groups: dict[object, list[Accepted]] = {}
    for item in accepted:
        groups.setdefault((str(item.schema), item.file.tables), []).append(item)
    return list(groups.values())


def fitting(spark: SparkSession, accepted: Sequence[Accepted], source: Source) -> tuple[list[Accepted], list[str]]:
    """Files whose types fit the mapping's expressions, and for each other file why it is refused.

    When all are of one kind there is nothing to sort out: a mapping that fits no file is an error of the mapping.
    """
    groups = _alike(accepted) if source.format == "parquet" else []
    if len(groups) < 2:
        return list(accepted), []
    problems = [_misfit(spark, group[0], source) for group in groups]
    if all(problems):
        raise ConfigError(str(problems[0]))
    fit = [item for group, problem in zip(groups, problems, strict=True) if not problem for item in group]
    refused = [
        f"{item.file.name}: refused, its types do not fit the mapping as those of the other files do\n{problem}"
        for group, problem in zip(groups, problems, strict=True)
        if problem
        for item in group
    ]
    return sorted(fit, key=lambda item: item.file.name), refused


def _misfit(spark: SparkSession, item: Accepted, source: Source) -> str | None:
    """Why the types of the file do not fit one of its tables."""
    for name in item.file.tables:
        table = INPUTS[name]
        [rows] = opened_rows(spark, [item], source, table)
        try:
            compiled_mapping(table, _scope(rows, source, lambda: b""), source)
        except ConfigError as error:
            return str(error)
    return None


def staged_rows(groups: Sequence[Rows], table: Table, load: Load, key: Callable[[], bytes]) -> DataFrame:
    """Every row read, mapped, with its fate. `key` is asked for only where the mapping makes pseudonyms."""
    return reduce(DataFrame.unionByName, (staged(rows, table, _scope(rows, load.source, key), load) for rows in groups))


def _scope(rows: Rows, source: Source, key: Callable[[], bytes]) -> Scope:
    return Scope(
        columns=rows.columns,
        zone=source.zone,
        subscriber_ids=lambda column: keyed_hash.subscriber_ids(key())(column),
        device_ids=lambda column: keyed_hash.device_ids(key())(column),
    )
