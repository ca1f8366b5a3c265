"""The reference interpreter of the metric language, and its subscribers as the compiler under test takes them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from visitgrain.catalogue.metric_language import MeasureKind
from visitgrain.metrics.date_sets import empty, insert, origin_of
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.sums_of_days import DayRows
from visitgrain.metrics.values import People, Value
from visitgrain.metrics.windows import EPOCH, WindowEnd, day_number

DAYS = 30  # of a window of the reference: its windows follow each other without gaps
FIRST_DAY = date(2024, 1, 1)  # its day 0; any Monday would do
ZERO = day_number(FIRST_DAY)
SKETCH = pa.map_(pa.int32(), pa.int64())


def reference(shared: Path) -> ModuleType:
    """check_metrics.py, loaded from its place."""
    spec = importlib.util.spec_from_file_location("check_metrics", shared / "metrics" / "check_metrics.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def people(subscribers: Sequence[Any], period: int, plans: Plans) -> People:
    """Subscribers of the reference as those of the compiler under test, in the window with number `period`."""
    values = [subscriber.v for subscriber in subscribers]
    origin = origin_of(last_day(period))
    atoms = {}
    for found in plans.atoms:
        own = [value.get(period - found.back, {}).get(found.measure) for value in values]
        atoms[found] = _value(own, plans.catalogue.names.measures[found.measure], found.key, origin)
    window = WindowEnd("r30", EPOCH + timedelta(days=last_day(period)))
    return People(len(values), window, atoms, plans.catalogue.names.measures, origin)


def last_day(period: int) -> int:
    """Number of the last day of a window."""
    return ZERO + (period + 1) * DAYS - 1


def sketch_days(subscribers: Sequence[Any], period: int, names: Sequence[str]) -> DayRows:
    """One day each, with the sketches of the window."""
    sketches = {
        name: pa.array([list((subscriber.v[period].get(name) or {}).items()) for subscriber in subscribers], SKETCH)
        for name in names
    }
    size = len(subscribers)
    day = pa.repeat(pa.scalar(last_day(period), pa.int32()), size).cast(pa.date32())
    return DayRows.of(size, np.arange(size), [pa.table({"day": day, **sketches})])


def _value(found: Sequence[Any], measure: MeasureKind, key: Any, origin: int) -> Value:
    """A missing count is 0, a missing date or snapshot null."""
    if measure.kind == "set":
        words = empty(len(found))
        rows = [(row, ZERO + day) for row, days in enumerate(found) for day in days or ()]
        insert(words, *np.array(rows, np.int64).reshape(-1, 2).T, origin)
        return Value(words, None, "set")
    if measure.kind in ("vector", "sketch"):
        return Value(np.array([_of_key(vector or {}, key) for vector in found], np.int64))
    there = np.array([value is not None for value in found])
    if measure.kind == "date":
        return Value(np.array([ZERO + (value or 0) for value in found], np.int64), there, "date")
    numbers = np.array([float(value or 0) for value in found])
    return Value(numbers, there if measure.snapshot else None)


def _of_key(vector: Mapping[Any, int], key: Any) -> int:
    return sum(vector.values()) if key == "n" else vector.get(key, 0)
