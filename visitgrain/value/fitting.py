"""The models of a month, fitted on how often each history occurs: one task per model, whatever the population."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.arrow.casting import ARROW
from visitgrain.catalogue.customer_value import CustomerValue
from visitgrain.span import Span
from visitgrain.tables.valuing import VALUE_MODELS
from visitgrain.value import bgnbd, gamma_gamma
from visitgrain.value.histories import NUMBERS, histories
from visitgrain.value.likelihood import TooLittle
from visitgrain.value.rfm import WEEK

SIGNIFICANT_DIGITS = 3  # of mean order values: as many as the fit can feel, few enough to be counted
_DDL = ", ".join(f"{column.name} {column.type}" for column in VALUE_MODELS.columns)
_SCHEMA = pa.schema([(column.name, ARROW[column.type]) for column in VALUE_MODELS.columns])


def fit_customer_value(visit_days: DataFrame, orders: DataFrame, *, spec: CustomerValue, span: Span) -> DataFrame:
    """One row per model that somebody has a history for, its parameters null where there is too little to fit."""
    known = histories(visit_days, orders, spec, span.end)
    kinds = [_days("visits", "visit"), _days("orders", "order"), _money()]
    counted = (
        known.select(F.explode(F.array(*kinds)).alias("h"))
        .where("h.x is not null")
        .groupBy("h.kind", "h.x", "h.t_x", "h.T", "h.mean_value")
        .agg(F.count(F.lit(1)).alias("n"))
    )
    common = {"month": span.month, "definition_hash": spec.definition_hash}

    def fit(table: pa.Table) -> pa.Table:
        return fitted(table, common=common)

    return counted.groupBy("kind").applyInArrow(fit, _DDL)


def _days(kind: str, prefix: str) -> Column:
    x, t_x, age = (F.col(f"{prefix}_{name}") for name in NUMBERS)
    return _counted(kind, x, t_x, age, F.lit(None))


def _money() -> Column:
    mean = F.col("mean_order_fen")
    power = F.pow(F.lit(10.0), F.floor(F.log10(mean)) - (SIGNIFICANT_DIGITS - 1))
    days = F.when(mean > 0, F.col("order_repeats") + 1)
    return _counted("order_value", days, F.lit(None), F.lit(None), F.when(mean > 0, F.round(mean / power) * power))


def _counted(kind: str, x: Column, t_x: Column, age: Column, mean_value: Column) -> Column:
    typed = x.cast("int").alias("x"), t_x.cast("int").alias("t_x"), age.cast("int").alias("T")
    return F.struct(F.lit(kind).alias("kind"), *typed, mean_value.cast("double").alias("mean_value"))


def fitted(counted: pa.Table, *, common: dict[str, Any]) -> pa.Table:
    """The row of `value_models` of one kind. `counted`: kind, x, t_x and T in days, mean_value in fen, n."""
    kind, x, n = counted["kind"][0].as_py(), _numbers(counted, "x"), _numbers(counted, "n")
    row: dict[str, Any] = {}
    try:
        if kind == "order_value":
            row = gamma_gamma.fit(x, _numbers(counted, "mean_value"), n).to_dict()
        else:
            row = bgnbd.fit(x, _numbers(counted, "t_x") / WEEK, _numbers(counted, "T") / WEEK, n).to_dict()
    except TooLittle:
        pass  # the month has no such model: parameters stay null
    return pa.Table.from_pylist([{**common, **row, "kind": kind, "customers": int(n.sum())}], schema=_SCHEMA)


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy().astype(float)
