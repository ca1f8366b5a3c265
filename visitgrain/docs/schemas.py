"""JSON Schemas of the files of metrics, measures and quality rules, for editors that check and complete YAML."""

from __future__ import annotations

import json
from typing import Any

from visitgrain.catalogue.measures import MeasureFile
from visitgrain.catalogue.metric_settings import MetricSettings
from visitgrain.catalogue.metrics import Family
from visitgrain.catalogue.quality import TableQuality


def schemas() -> dict[str, str]:
    """Name of the file in conf/catalogue -> its content."""
    found = {
        "metrics.schema.json": _with_all_windows(Family.model_json_schema()),
        "measures.schema.json": MeasureFile.model_json_schema(),
        "metric_settings.schema.json": MetricSettings.model_json_schema(),
        "quality.schema.json": TableQuality.model_json_schema(),
    }
    return {name: _as_text(schema) for name, schema in found.items()}


def _with_all_windows(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with `windows: all`, which stands for a list of every window."""
    properties = schema["$defs"]["Metric"]["properties"]
    listed = properties["windows"]
    properties["windows"] = {"title": listed.pop("title"), "anyOf": [{"const": "all"}, listed]}
    return schema


def _as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
