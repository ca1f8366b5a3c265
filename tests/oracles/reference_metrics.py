"""The reference interpreter of the metric language, and its subscribers as rows for the compiler under test."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from visitgrain.catalogue.atoms import Atom
from visitgrain.catalogue.metric_language import MeasureKind
from visitgrain.metrics.date_sets import BITS, WORDS
from visitgrain.metrics.inner import ORIGIN, atom

DAYS = 30  # of a window of the reference: its windows follow each other without gaps
FIRST_DAY = date(2024, 1, 1)  # its day 0; any Monday would do


def reference(shared: Path) -> ModuleType:
    """check_metrics.py, loaded from its place."""
    spec = importlib.util.spec_from_file_location("check_metrics", shared / "metrics" / "check_metrics.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(
    populations: Mapping[str, Sequence[Any]], period: int, wanted: Iterable[Atom], measures: Mapping[str, MeasureKind]
) -> pa.Table:
    """One row per subscriber: `population`, a column per atom, and the bounds of the windows."""
    people = [(name, subscriber) for name, population in populations.items() for subscriber in population]
    values = [subscriber.v for _, subscriber in people]
    columns: dict[str, pa.Array] = {"population": pa.array([name for name, _ in people])}
    last = FIRST_DAY + timedelta(days=(period + 1) * DAYS - 1)
    origin = ((last - date(1970, 1, 1)).days // BITS - (WORDS - 1)) * BITS
    columns[ORIGIN] = pa.array([origin] * len(people), pa.int32())
    for back in range(13):
        start = FIRST_DAY + timedelta(days=(period - back) * DAYS)
        bounds = {"window_start": start, "window_end": start + timedelta(days=DAYS - 1), "window_days": DAYS}
        columns |= {atom(name, back): pa.array([value] * len(people)) for name, value in bounds.items()}
    for name, key, back in sorted(set(wanted), key=str):
        kind = measures[name].kind
        found = [value.get(period - back, {}).get(name) for value in values]
        if kind == "set":
            made = pa.array([_words(days or (), origin) for days in found], pa.list_(pa.int64()))
        elif kind == "date":
            made = pa.array([None if day is None else FIRST_DAY + timedelta(days=day) for day in found], pa.date32())
        elif kind == "num":
            made = pa.array([None if value is None else float(value) for value in found], pa.float64())
        elif key is None:
            made = pa.array([list((sketch or {}).items()) for sketch in found], pa.map_(pa.int32(), pa.int64()))
        else:
            made = pa.array([_of_key(vector or {}, key) for vector in found], pa.int64())
        columns[atom(name, back, key)] = made
    return pa.table(columns)


def _of_key(vector: Mapping[Any, int], key: Any) -> int:
    return sum(vector.values()) if key == "n" else vector.get(key, 0)


def _words(days: Iterable[int], origin: int) -> list[int]:
    words = [0] * WORDS
    for day in days:
        place = (FIRST_DAY - date(1970, 1, 1)).days + day - origin
        if 0 <= place < BITS * WORDS:
            words[place // BITS] |= 1 << place % BITS
    return [word - (1 << BITS) if word >> (BITS - 1) else word for word in words]
