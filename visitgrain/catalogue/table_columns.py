"""Columns that follow from the metric catalogue: those of the day tables and of the wide table of metrics.

Tables are declared before any catalogue is loaded, so these columns are kept beside the declarations in
visitgrain/tables/columns.json, which `visitgrain docs` writes from conf/catalogue. A catalogue that differs is refused.
"""

from __future__ import annotations

import json

from visitgrain.catalogue.measures import day_columns
from visitgrain.catalogue.metrics import Metric, MetricCatalogue
from visitgrain.errors import ConfigError
from visitgrain.tables.measuring import CATALOGUE_COLUMNS

WHOLE = ("users", "orders")  # units of metrics that count


def table_columns(catalogue: MetricCatalogue) -> dict[str, list[list[str | None]]]:
    """name, type, description and unit of each column, by table."""
    days = [[c.name, c.type, c.meaning, None] for m in catalogue.measures.values() for c in day_columns(m)]
    metrics = [
        [metric.id, metric_type(metric), f"{metric.zh} {metric.en}", metric.unit]
        for metric in catalogue.metrics.values()
        if metric.of_subscribers
    ]
    return {"days": days, "metrics": metrics}  # type: ignore[dict-item]


def metric_type(metric: Metric) -> str:
    return "bigint" if metric.unit in WHOLE else "double"


def as_json(catalogue: MetricCatalogue) -> str:
    """The content of columns.json: one column a line, so that a change shows as one."""
    parts = []
    for name, columns in table_columns(catalogue).items():
        lines = ",\n".join(f"  {json.dumps(column, ensure_ascii=False)}" for column in columns)
        parts.append(f'"{name}": [\n{lines}\n]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def check_columns(catalogue: MetricCatalogue) -> None:
    """Raises ConfigError when the declared tables are not those of the catalogue."""
    for name, wanted in table_columns(catalogue).items():
        declared = {column[0]: column[1] for column in CATALOGUE_COLUMNS[name]}
        named = {column[0]: column[1] for column in wanted}
        differing = sorted(set(declared.items()) ^ set(named.items()), key=str)
        if differing:
            columns = ", ".join(dict.fromkeys(str(column) for column, _ in differing))
            raise ConfigError(
                f"conf/catalogue: measures or metrics do not fit the declared tables: {columns}; run `visitgrain docs`"
            )
