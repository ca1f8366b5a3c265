"""What the models of a month expect of each subscriber."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from visitgrain.arrow.casting import ARROW
from visitgrain.arrow.rows import ArrowRows, FilePart, TableFiles, read_part
from visitgrain.catalogue.customer_value import CustomerValue
from visitgrain.span import Span
from visitgrain.tables.valuing import CUSTOMER_VALUE, TIERS, VALUE_MODELS
from visitgrain.value.bgnbd import BgNbd
from visitgrain.value.gamma_gamma import GammaGamma
from visitgrain.value.histories import NUMBERS, histories
from visitgrain.value.likelihood import Array
from visitgrain.value.priority import CutPoints
from visitgrain.value.rfm import WEEK

_SCHEMA = pa.schema([(column.name, ARROW[column.type]) for column in CUSTOMER_VALUE.columns])
Models = Mapping[str, Mapping[str, Any]]  # rows of value_models by kind


def estimate_customer_value(
    visit_days: DataFrame, orders: DataFrame, value_models: TableFiles, *, spec: CustomerValue, span: Span
) -> ArrowRows:
    """One row per subscriber with a history. What a model says is null where the month has no such model."""
    known = histories(visit_days, orders, spec, span.end)
    return ArrowRows(known, partial(_estimated, files=value_models.files, settings=spec, month=span.month))


def _estimated(
    batches: Iterable[pa.RecordBatch], *, files: Sequence[FilePart], settings: CustomerValue, month: date
) -> Iterator[pa.Table]:
    rows = [row for file in files for row in read_part(file, VALUE_MODELS.column_names).to_pylist()]
    models = {row["kind"]: row for row in rows}
    for batch in batches:
        yield estimated(pa.Table.from_batches([batch]), models, settings, month)


def estimated(known: pa.Table, models: Models, settings: CustomerValue, month: date) -> pa.Table:
    """Rows of `customer_value` from rows of `histories`."""
    visits = _of_days(known, "visit", models.get("visits"), settings)
    orders = _of_days(known, "order", models.get("orders"), settings)
    money = _order_value(known, models.get("order_value"))
    value = orders["expected"] * money
    computed = {
        "p_alive_visits": visits["alive"],
        "p_alive_orders": orders["alive"],
        "expected_visit_days": visits["expected"],
        "expected_orders": orders["expected"],
        "expected_order_fen": money,
        "expected_value_fen": value,
    }
    cuts = CutPoints(settings.tiers.reference, settings.tiers.points_fen)
    constants = {
        "month": month,
        "horizon_days": settings.horizon_days,
        "definition_hash": settings.definition_hash,
    }
    columns = {
        **{name: known[name] for name in known.column_names},
        **{name: pa.array(numbers, from_pandas=True) for name, numbers in computed.items()},
        "value_tier": pa.array(np.array([None, *TIERS], dtype=object)[cuts.levels(value)], pa.string()),
        **{name: pa.repeat(pa.scalar(one, _SCHEMA.field(name).type), len(value)) for name, one in constants.items()},
    }
    return pa.table({name: columns[name] for name in _SCHEMA.names}).cast(_SCHEMA)


def _of_days(known: pa.Table, kind: str, row: Mapping[str, Any] | None, settings: CustomerValue) -> dict[str, Array]:
    """`alive` and `expected`, NaN where unknown."""
    x, t_x, age = (_numbers(known, f"{kind}_{name}") for name in NUMBERS)
    if row is None or row["r"] is None:
        return dict.fromkeys(("alive", "expected"), np.full(len(x), np.nan))
    model = BgNbd(row["r"], row["alpha"], row["a"], row["b"], row["log_likelihood"], row["customers"])
    history = x, t_x / WEEK, age / WEEK
    return {"alive": model.alive(*history), "expected": model.expected(settings.horizon_days / WEEK, *history)}


def _order_value(known: pa.Table, row: Mapping[str, Any] | None) -> Array:
    days, mean = _numbers(known, "order_repeats") + 1, _numbers(known, "mean_order_fen")
    if row is None or row["p"] is None:
        return np.full(len(days), np.nan)
    model = GammaGamma(row["p"], row["q"], row["v"], row["log_likelihood"], row["customers"])
    return model.expected_value(days, mean)


def _numbers(table: pa.Table, name: str) -> Array:
    """NaN where null."""
    return table[name].cast(pa.float64()).to_numpy()
