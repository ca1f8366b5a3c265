"""Segments of a month: three levels per axis, one number per subscriber, a reason where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import polars as pl
import pyarrow as pa

from visitgrain.arrow.casting import constant
from visitgrain.arrow.rows import ArrowRows, FilePart, TableFiles, parts_of, read_part
from visitgrain.catalogue.segment_models import Axis, SegmentModel
from visitgrain.segments.base import NO_SNAPSHOT, VISITOR_WITHOUT_SNAPSHOT, columns_of, in_base, measured
from visitgrain.span import Span

Ends = tuple[float | None, float | None]  # where levels 2 and 3 begin; None = nobody got there
_NOBODY: Ends = (None, None)


def assign_segments(
    month_features: TableFiles, segment_cut_points: TableFiles, *, spec: SegmentModel, span: Span
) -> ArrowRows:
    """One row per subscriber of the model's base: inputs, levels, segment 1-27 or the reason why there is none."""
    function = partial(_assigned, cut_points=segment_cut_points.files, model=spec)
    return ArrowRows(month_features.listing, function)


def _assigned(
    listing: Iterable[pa.RecordBatch], *, cut_points: Sequence[FilePart], model: SegmentModel
) -> Iterator[pa.Table]:
    ends = ends_of(read_part(file, ["model", "axis", "low", "high"]) for file in cut_points)
    own = ["score"] if model.model == "behaviour" else []
    columns = list(dict.fromkeys(["subscriber_id", "month", *own, *columns_of(model)]))
    for file in parts_of(listing):
        yield assigned(read_part(file, columns, dictionaries=["score"]), ends, model)


def ends_of(cut_points: Iterable[pa.Table]) -> dict[tuple[str, str], Ends]:
    """Cut points of one month by (model, axis)."""
    rows = [row for table in cut_points for row in table.to_pylist()]
    return {(row["model"], row["axis"]): (row["low"], row["high"]) for row in rows}


def assigned(features: pa.Table, ends: Mapping[tuple[str, str], Ends], model: SegmentModel) -> pa.Table:
    """Rows of the model's table from rows of `month_features`."""
    names = [axis.axis for axis in model.axes]
    inputs = measured(features, model)
    base = inputs.select(in_base(model.model)).to_series()
    levels = {f"{axis.axis}_level": _level(axis, ends.get((model.model, axis.axis), _NOBODY)) for axis in model.axes}
    first, second, third = (pl.col(name) for name in levels)
    reasons = [_unknown_axes(names)]
    if model.model == "consumption":
        reasons.insert(0, pl.when(VISITOR_WITHOUT_SNAPSHOT).then(pl.lit(NO_SNAPSHOT)))
    rows = (
        inputs.filter(base)
        .with_columns(**levels)
        .with_columns(segment=9 * (first - 1) + 3 * (second - 1) + third, reason=pl.coalesce(reasons))
    )
    kept = features.filter(base.to_arrow())
    own = {"scores": kept["score"]} if model.model == "behaviour" else {}
    columns = rows.select(*names, *levels, "segment", "reason").to_arrow()
    return pa.table(
        {
            "subscriber_id": kept["subscriber_id"],
            "month": kept["month"],
            **dict(zip(columns.column_names, columns.columns, strict=True)),
            **own,
            "version": constant(model.version, rows.height),
        }
    )


def _level(axis: Axis, ends: Ends) -> pl.Expr:
    """1-3 from the axis' value; null of null."""
    value = pl.col(axis.axis)
    band = pl.sum_horizontal([value >= end for end in ends if end is not None] or [pl.lit(0)])
    level = 1 + band if axis.direction == "high_is_good" else 3 - band
    return pl.when(value.is_not_null()).then(level.cast(pl.Int32))


def _unknown_axes(names: list[str]) -> pl.Expr:
    """'unknown age, dou'; null when all inputs are known."""
    unknown = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in names]
    listed = pl.concat_str(unknown, separator=", ", ignore_nulls=True)
    return pl.when(listed != "").then(pl.lit("unknown ") + listed)
