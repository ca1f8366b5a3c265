"""Counts and content hash of a frame, taken in the pass that writes it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, functions as F
from pyspark.sql.types import MapType, StructType

from visitgrain.runtime.contract import KEPT, OUTCOME, ROWS

UNDECLARED = "undeclared"
LISTENER_WAIT_MS = 10 * 60 * 1000  # metrics arrive with the listener events of the write


def counted(frame: DataFrame) -> tuple[DataFrame, Observation]:
    """`frame`, and its row count once something ran over it."""
    observation = Observation()
    return frame.observe(observation, F.count(F.lit(1)).alias("rows")), observation


def accounted(frame: DataFrame, schema: StructType, outcomes: Sequence[str]) -> tuple[DataFrame, Observation]:
    """Kept rows of `frame` without its reserved columns; rows, hash, input rows by outcome once they are written."""
    outcome = F.coalesce(F.col(OUTCOME), F.lit("null")) if OUTCOME in frame.columns else F.lit(KEPT)
    stands_for = F.coalesce(F.col(ROWS).cast("bigint"), F.lit(0)) if ROWS in frame.columns else F.lit(1).cast("bigint")
    kept, row_hash = outcome == KEPT, _row_hash(schema)
    names = dict.fromkeys((KEPT, *outcomes))
    known = outcome.isin(*names)
    observation = Observation()
    observed = frame.observe(
        observation,
        F.count_if(kept).alias("rows"),
        F.bit_xor(F.when(kept, row_hash)).alias("xor"),
        F.sum(F.when(kept, row_hash).cast("decimal(38,0)")).alias("sum"),
        *(F.sum(F.when(outcome == name, stands_for)).alias(f"{OUTCOME}:{name}") for name in names),
        F.max(F.when(~known, outcome)).alias(UNDECLARED),
    )
    return (observed.where(kept) if OUTCOME in frame.columns else observed).select(*schema.names), observation


def metrics_of(observation: Observation) -> dict[str, Any]:
    """What was observed; {} when the optimizer left the observed branch out because it is empty.

    Call it after the write. `Observation.get` alone would wait for ever on a branch that never ran.
    """
    java: Any = observation._jo
    jvm: Any = observation._jvm
    jvm.SparkSession.active().sparkContext().listenerBus().waitUntilEmpty(LISTENER_WAIT_MS)
    return observation.get if java.future().isCompleted() else {}


def outcomes_of(metrics: dict[str, Any]) -> dict[str, int]:
    """Input rows by outcome, zeros left out (but for kept)."""
    prefix = f"{OUTCOME}:"
    sums = {name.removeprefix(prefix): int(value or 0) for name, value in metrics.items() if name.startswith(prefix)}
    return {name: value for name, value in sums.items() if value or name == KEPT} or {KEPT: 0}


def content_hash(metrics: dict[str, Any]) -> str:
    """Same rows, same hash, whatever their order or partitions."""
    parts = f"{metrics.get('rows') or 0}|{metrics.get('xor') or 0}|{metrics.get('sum') or 0}"
    return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()


def _row_hash(schema: StructType) -> Column:
    """xxhash64 skips nulls; a marker after each nullable column keeps (null, x) apart from (x, null)."""
    parts: list[Column] = []
    for field in schema.fields:
        column = F.col(field.name)
        parts.append(F.array_sort(F.map_entries(column)) if isinstance(field.dataType, MapType) else column)
        if field.nullable:
            parts.append(F.lit(zlib.crc32(field.name.encode())))
    return F.xxhash64(*parts)
