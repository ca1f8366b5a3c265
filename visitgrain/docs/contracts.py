"""Data contracts in the Open Data Contract Standard, v3.1: one YAML per table, for catalogues and consumers' checks."""

from __future__ import annotations

from typing import Any

import yaml

from visitgrain import __version__
from visitgrain.tables import Column, Kind, Table

_HEADING = "# Generated from visitgrain/tables by `make docs`; edit the declaration, not this file.\n"
_LOGICAL = {
    "string": "string",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "tinyint": "integer",
    "smallint": "integer",
    "int": "integer",
    "bigint": "integer",
    "float": "number",
    "double": "number",
}
_STATUS = {Kind.INTERNAL: "draft"}  # everything else is a promise


def contract(table: Table) -> str:
    """The contract of `table` as YAML text."""
    body = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"visitgrain.{table.name}",
        "name": table.name,
        "version": __version__,
        "status": _STATUS.get(table.kind, "active"),
        "domain": "e-channel behaviour",
        "dataProduct": "visitgrain",
        "description": {"purpose": table.description},
        "schema": [_schema(table)],
        "team": {"name": table.owner},
        "slaProperties": [{"property": "timeOfAvailability", "value": table.freshness, "element": table.name}],
    }
    text: str = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)
    return _HEADING + text


def _schema(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "physicalName": table.name,
        "physicalType": "table",
        "logicalType": "object",
        "description": table.description,
        "dataGranularityDescription": table.grain,
        "properties": [_property(table, column) for column in table.columns],
        "quality": [
            {"metric": "duplicateValues", "arguments": {"properties": list(table.key)}, "mustBe": 0, "unit": "rows"}
        ],
    }


def _property(table: Table, column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": column.name,
        **_logical_type(column.type),
        "physicalType": column.type,
        "description": column.description,
        "required": not column.nullable,
    }
    if column.name in table.key:
        entry |= {"primaryKey": True, "primaryKeyPosition": table.key.index(column.name) + 1}
    if column.name == table.partition:
        entry |= {"partitioned": True, "partitionKeyPosition": 1}
    if column.personal:
        entry["classification"] = "personal"
    if column.values:
        allowed = {"validValues": list(column.values)}
        entry["quality"] = [{"metric": "invalidValues", "arguments": allowed, "mustBe": 0, "unit": "rows"}]
    if column.unit:
        entry["customProperties"] = [{"property": "unit", "value": column.unit}]
    return entry


def _logical_type(spark_type: str) -> dict[str, Any]:
    """ODCS knows no map: it is an object. Items of an array are described by their own type."""
    if spark_type.startswith("array<"):
        inner = spark_type.removeprefix("array<").removesuffix(">")
        return {"logicalType": "array", "items": {**_logical_type(inner), "physicalType": inner}}
    if spark_type.startswith(("map<", "struct<")):
        return {"logicalType": "object"}
    if spark_type.startswith("decimal"):
        return {"logicalType": "number"}
    return {"logicalType": _LOGICAL[spark_type]}
