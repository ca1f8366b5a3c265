"""Who is in the base of a segment model, and what its axes measure there."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from visitgrain.arrow.maps import numbers_by_key
from visitgrain.catalogue.segment_models import SegmentModel

NO_SNAPSHOT = "no snapshot"
_FLAGS = ("visits", "in_service", "has_snapshot")
VISITOR_WITHOUT_SNAPSHOT = (pl.col("visits") > 0) & ~pl.col("has_snapshot")


def columns_of(model: SegmentModel) -> list[str]:
    """The columns of `month_features` that `measured` needs."""
    measures = ["score" if axis.purpose else axis.measure for axis in model.axes]
    return list(dict.fromkeys([*_FLAGS, *measures]))


def measured(features: pa.Table, model: SegmentModel) -> pl.DataFrame:
    """The inputs of the axes under their names, as double, null = unknown, beside what tells the base."""
    purposes = [axis.purpose for axis in model.axes if axis.purpose]
    scores = numbers_by_key(features["score"], purposes, missing=np.nan) if purposes else {}
    plain = pl.DataFrame(pl.from_arrow(features.select([name for name in columns_of(model) if name != "score"])))
    inputs = {
        axis.axis: pl.Series(scores[axis.purpose]).fill_nan(None) if axis.purpose else pl.col(axis.measure)
        for axis in model.axes
    }
    return plain.select(*_FLAGS, **inputs).cast(dict.fromkeys(inputs, pl.Float64))


def in_fit_base(model: str) -> pl.Expr:
    """Whose values cut points are fitted on: subscribers in service, or with a visit."""
    return pl.col("in_service") if model == "consumption" else pl.col("visits") > 0


def in_base(model: str) -> pl.Expr:
    """Who gets a row. A visitor without a snapshot is in the consumption base, unassigned: not left out in silence."""
    return in_fit_base(model) | VISITOR_WITHOUT_SNAPSHOT if model == "consumption" else in_fit_base(model)
