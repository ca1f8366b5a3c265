"""Cut points of a month: fixed ones from the catalogue, fitted ones frozen by the first month that fitted them.

A fit is exact: values are rounded to three significant digits and counted, so only counts cross the shuffle and the
answer is the same however the rows are partitioned. (An approximate percentile depends on the partitioning.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from visitgrain.arrow.rows import ArrowRows, FilePart, TableFiles, parts_of, read_part
from visitgrain.arrow.shuffle import also_empty, exchanged, packed, packed_by, unpacked
from visitgrain.catalogue.segment_models import Axis, SegmentModel
from visitgrain.segments.base import columns_of, in_fit_base, measured
from visitgrain.span import Span
from visitgrain.tables.segmentation import SEGMENT_CUT_POINTS

SIGNIFICANT_DIGITS = 3
Models = Mapping[str, SegmentModel]
Row = dict[str, Any]


def fit_cut_points(
    month_features: TableFiles, segment_cut_points: TableFiles, *, spec: Models, span: Span
) -> ArrowRows:
    """One row per axis of each model for the month. `segment_cut_points` are those of earlier months."""
    counts = also_empty(packed_by(month_features.listing, partial(_packed, models=spec)))
    fitted = partial(_fitted, history=segment_cut_points.files, models=spec, month=span.month)
    return ArrowRows(exchanged(counts, 1), fitted)


def _packed(listing: Iterable[pa.RecordBatch], *, models: Models) -> Iterator[pa.RecordBatch]:
    columns = dict.fromkeys(name for model in models.values() for name in columns_of(model))
    features = (read_part(file, list(columns), dictionaries=["score"]) for file in parts_of(listing))
    counts = (value_counts(table, models) for table in features)
    together = (table.append_column("bucket", pa.repeat(0, table.num_rows)) for table in counts)
    return packed(together, key="bucket", buckets=1)


def _fitted(
    batches: Iterable[pa.RecordBatch], *, history: Sequence[FilePart], models: Models, month: date
) -> Iterator[pa.Table]:
    earlier = [row for file in history for row in read_part(file, SEGMENT_CUT_POINTS.column_names).to_pylist()]
    yield cut_points(unpacked(batches), earlier, models, month)


def value_counts(features: pa.Table, models: Models) -> pa.Table:
    """How often each rounded value of an axis occurs in the base of its model: `model`, `axis`, `value`, `n`."""
    counts = []
    for model in models.values():
        base = measured(features, model).filter(in_fit_base(model.model))
        for axis in model.axes:
            values = pl.DataFrame({"value": three_digits(base[axis.axis].drop_nulls().to_numpy())})
            counted = values.group_by("value").agg(n=pl.len().cast(pl.Int64))
            counts.append(counted.select(model=pl.lit(model.model), axis=pl.lit(axis.axis), value="value", n="n"))
    return pl.concat(counts).to_arrow()


def cut_points(counts: pa.Table | None, history: Sequence[Row], models: Models, month: date) -> pa.Table:
    """Rows of `segment_cut_points` for the month. `counts` as of `value_counts`, of any number of parts of the base."""
    counted = pl.DataFrame(pl.from_arrow(counts)) if counts is not None else None
    rows = []
    for model in models.values():
        for axis in model.axes:
            chosen = _fixed(axis) or _frozen(axis, model, history) or _fresh(axis, model, counted, month)
            named = {"month": month, "model": model.model, "version": model.version, "axis": axis.axis}
            rows.append({**named, "method": axis.method, **chosen})
    columns = {name: [row[name] for row in rows] for name in SEGMENT_CUT_POINTS.column_names}
    types = {"low": pa.float64(), "high": pa.float64(), "fitted_on": pa.date32(), "subscribers": pa.int64()}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})


def _fixed(axis: Axis) -> Row | None:
    if axis.fixed is None:
        return None
    low, high = axis.fixed
    return {"low": low, "high": high, "fitted_on": None, "subscribers": 0}


def _frozen(axis: Axis, model: SegmentModel, history: Sequence[Row]) -> Row | None:
    """The earliest fit of the axis since its `fit_month`. A fit on nobody binds nobody."""
    since = date.fromisoformat(f"{axis.fit_month}-01") if axis.fit_month else date.min
    key = (model.model, model.version, axis.axis)
    fits = [
        row
        for row in history
        if (row["model"], row["version"], row["axis"]) == key
        and row["fitted_on"] is not None
        and row["fitted_on"] >= since
        and row["subscribers"] > 0
    ]
    earliest = min(fits, key=lambda row: row["fitted_on"], default=None)
    return earliest and {name: earliest[name] for name in ("low", "high", "fitted_on", "subscribers")}


def _fresh(axis: Axis, model: SegmentModel, counted: pl.DataFrame | None, month: date) -> Row:
    """Terciles of this month: low and high are the first values with at least 1/3 and 2/3 of the base below them."""
    low = high = None
    total = 0
    if counted is not None:
        own = counted.filter(pl.col("model") == model.model, pl.col("axis") == axis.axis)
        own = own.group_by("value").agg(pl.col("n").sum()).sort("value")
        values, below = own["value"].to_numpy(), own["n"].cum_sum().to_numpy() - own["n"].to_numpy()
        total = int(own["n"].sum())
        low = _first(values, 3 * below >= total)
        high = None if low is None else _first(values, (values > low) & (3 * below >= 2 * total))
    return {"low": low, "high": high, "fitted_on": month, "subscribers": total}


def _first(values: np.ndarray, far_enough: np.ndarray) -> float | None:
    places = np.flatnonzero(far_enough)
    return float(values[places[0]]) if len(places) else None


def three_digits(values: np.ndarray) -> np.ndarray:
    """Rounded to three significant digits, halves away from zero. Only whole powers of ten enter, held exactly."""
    size = np.abs(values)
    exponent = np.floor(np.log10(np.where(size > 0, size, 1))) - (SIGNIFICANT_DIGITS - 1)
    power = 10.0 ** np.abs(exponent)
    rounded = np.where(exponent < 0, np.floor(size * power + 0.5) / power, np.floor(size / power + 0.5) * power)
    return np.copysign(rounded, values) + 0.0
