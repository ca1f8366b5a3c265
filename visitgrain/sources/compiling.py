"""A mapping's expressions as columns of one kind of file: values, why a value failed, and which rows rules keep."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.expression_tree import Call, ExpressionError, Literal, Node, walk
from visitgrain.catalogue.source import DEVICE_STAMPS, Source
from visitgrain.errors import ConfigError
from visitgrain.expressions.compile import compiled
from visitgrain.expressions.conversions import to_type
from visitgrain.expressions.typed import Scope, Sort, Typed, failures, need
from visitgrain.sources.gate import mapped_columns
from visitgrain.tables import Table


@dataclass(frozen=True)
class CompiledMapping:
    """`failures` are reasons of quarantine, null where nothing failed; `keeps` by rule: which rows stay."""

    values: dict[str, Typed]
    failures: list[Column]
    keeps: dict[str, Column]


def compiled_mapping(table: Table, scope: Scope, source: Source) -> CompiledMapping:
    """Raises ConfigError naming every entry of the mapping whose expression does not fit the columns."""
    mapping = source.tables[table.name]
    values: dict[str, Typed] = {}
    reasons: list[Column] = []
    problems: list[str] = []
    for name, tree in mapped_columns(mapping, table, scope.columns).items():
        try:
            values[name] = _value(tree, table, name, scope, mapping.defaults.get(name))  # type: ignore[arg-type]
            reasons += _failure(name, values[name], tree, scope)  # type: ignore[arg-type]
        except ExpressionError as error:
            problems.append(f"columns.{name}: {error}")
    keeps: dict[str, Column] = {}
    for rule in mapping.where:
        try:
            keeps[rule.rule] = need(compiled(rule.keep, scope), (Sort.BOOL,), "keep").column
        except ExpressionError as error:
            problems.append(f"where.{rule.rule}: {error}")
    if problems:
        place = f"sources/{source.source}.yaml: tables.{table.name}"
        raise ConfigError("\n".join(f"{place}.{problem}" for problem in problems))
    constants = {
        name: _value(Literal(v), table, name, scope, None) for name, v in mapping.defaults.items() if name not in values
    }
    return CompiledMapping({**values, **constants}, reasons, keeps)


def mapped_type(table: Table, name: str) -> str:
    """Spark type of what a mapping gives as `name`."""
    return "timestamp" if name in DEVICE_STAMPS else table.column(name).type


def _value(tree: Node, table: Table, name: str, scope: Scope, default: object) -> Typed:
    value = to_type(compiled(tree, scope), mapped_type(table, name), scope.zone)
    if default is None:
        return value
    fallback = to_type(compiled(Literal(default), scope), mapped_type(table, name), scope.zone).column  # type: ignore[arg-type]
    # A default stands for a missing value, never for one that did not convert.
    failed = F.coalesce(value.failed, F.lit(False)) if value.failed is not None else F.lit(False)
    return value.like(F.when(value.column.isNull() & ~failed, fallback).otherwise(value.column))


def _failure(name: str, value: Typed, tree: Node, scope: Scope) -> list[Column]:
    """`msisdn` where the phone number in the expression is none, else `type:` and the column."""
    if value.failed is None:
        return []
    numbers = [node for node in walk(tree) if isinstance(node, Call) and node.function == "msisdn"]
    no_number = failures(*(compiled(node, scope) for node in numbers))
    reason = F.lit(f"type:{name}")
    return [F.when(value.failed, reason if no_number is None else F.when(no_number, "msisdn").otherwise(reason))]
