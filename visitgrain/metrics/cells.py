"""Subscribers -> cells: the leaves of everybody in a window, slice and value, added up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql.types import StringType, StructField

from visitgrain.arrow.sums import summed, totals
from visitgrain.expressions.exact import names_of_parts, parts, whole
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.slices import ALL, UNKNOWN
from visitgrain.metrics.subscribers import leaf_columns
from visitgrain.metrics.window_rows import CELL, KEY, SLICE


def cells(rows: DataFrame, plans: Plans, by: Sequence[str] = (), extra: Sequence[str] = ()) -> DataFrame:
    """One row per window, slice, value and `extra`: the sums of all leaves, and how many subscribers have anything in
    each set of leaves that a metric stands on.

    The slices are everybody and each attribute of `by`; without any, rows have `slice` and `slice_value` already.
    """
    bounds = [name for name in rows.columns if name.startswith(("window_start", "window_days"))]
    of_window = [*bounds, "covered_from", "complete_through"]
    leaves = rows.selectExpr(*KEY, *extra, *of_window, *(by or SLICE), "subscriber_id", *leaf_columns(plans))
    kinds = {field.name: field.dataType for field in leaves.schema if field.name in plans.summed.values()}
    whole_numbers = [part for name, kind in kinds.items() for part in parts(name, kind)]
    narrow = leaves.selectExpr(*KEY, *extra, *of_window, *(by or SLICE), "subscriber_id", *whole_numbers)
    columns = [part for name, kind in kinds.items() for part in names_of_parts(name, kind)]
    anything = {flag: [p for n in names for p in names_of_parts(n, kinds[n])] for names, flag in plans.stands.items()}
    keys = [
        *(leaves.schema[name] for name in (*KEY, *extra, *of_window)),
        *(StructField(n, StringType()) for n in SLICE),
    ]
    group = partial(
        _over_slices, by=list(by), extra=list(extra), of_window=of_window, columns=columns, anything=anything
    )
    added = [*columns, *anything]
    found = totals(summed(narrow, group, keys, added), [key.name for key in keys], added)
    return found.selectExpr(*CELL, *extra, *of_window, *(whole(n, kind) for n, kind in kinds.items()), *anything)


def _over_slices(
    rows: pl.DataFrame,
    by: Sequence[str],
    extra: Sequence[str],
    of_window: Sequence[str],
    columns: Sequence[str],
    anything: Mapping[str, Sequence[str]],
) -> Iterator[pl.DataFrame]:
    known = pl.col("subscriber_id").is_not_null()
    stands = {flag: (known & pl.any_horizontal(pl.col(names) != 0)).cast(pl.Int64) for flag, names in anything.items()}
    everybody = {"slice": pl.lit(ALL), "slice_value": pl.lit(ALL)}
    slices = (
        [everybody, *({"slice": pl.lit(n), "slice_value": pl.col(n).fill_null(UNKNOWN)} for n in by)] if by else [{}]
    )
    for window in rows.with_columns(**stands).partition_by(*KEY):
        facts = window.select(*KEY, *of_window).head(1)
        for named in slices:
            sums = window.with_columns(**named).group_by(*extra, *SLICE).agg(pl.col(*columns, *anything).sum())
            yield sums.join(facts, how="cross")
