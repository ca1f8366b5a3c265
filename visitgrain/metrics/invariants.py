"""What numbers of populations hold together, whatever the data: checked on every run, before anything is published."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pyarrow as pa

from visitgrain.catalogue.formulas import is_linear
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.slices import ALL, ATTRIBUTES, CELL, KEY

TOLERANCE = 1e-9  # of sums of doubles, relative


def broken_laws(rows: pa.Table, plans: Plans) -> list[str]:
    """One message per broken law, metric and window of `rows` of population_metrics: how many cells, and one of them.

    - a value lies in the range of its metric;
    - value = numerator / denominator, or the numerator alone;
    - everybody has one value of each attribute: subscribers, and counts, add up to those of everybody;
    - growth accounting: active = new + won back + retained, and active before = retained + newly silent.
    """
    cells = pl.DataFrame(pl.from_arrow(rows)).with_columns(pl.col("value", "numerator", "denominator").cast(pl.Float64))
    laws = {
        "outside of its range": _outside(cells, plans),
        "is not numerator / denominator": _no_fraction(cells),
        "has other subscribers than its cells together": _not_added(cells, plans, "subscribers"),
        "is not the sum of its cells": _not_added(cells, plans, "value"),
        "is not new, won back and retained users together": _no_growth(cells),
    }
    return [message for law, found in laws.items() for message in _told(law, found)]


def _outside(cells: pl.DataFrame, plans: Plans) -> pl.DataFrame:
    ranges = [(m.id, *m.range) for m in plans.metrics]
    schema = {"metric": pl.String, "least": pl.Float64, "most": pl.Float64}
    found = cells.join(pl.DataFrame(ranges, schema, orient="row"), on="metric", how="inner")
    slack = TOLERANCE * pl.max_horizontal(pl.lit(1.0), pl.col("value").abs())
    return found.filter((pl.col("value") < pl.col("least") - slack) | (pl.col("value") > pl.col("most") + slack))


def _no_fraction(cells: pl.DataFrame) -> pl.DataFrame:
    product = pl.col("value") * pl.col("denominator").fill_null(1.0)
    return cells.filter(_differ(product, pl.col("numerator")))


def _not_added(cells: pl.DataFrame, plans: Plans, column: str) -> pl.DataFrame:
    """Cells of everybody whose `column` differs from the sum over an attribute. A metric that looks back further than
    history reaches has no value in any of them."""
    fits = [m.id for m in plans.metrics if not m.rollup and (column == "subscribers" or is_linear(plans.trees[m.id]))]
    of_metrics = cells.filter(pl.col("metric").is_in(fits))
    key = ["metric", *KEY]
    parts = of_metrics.filter(pl.col("slice").is_in(ATTRIBUTES)).group_by(*key, "slice")
    sums = parts.agg(pl.col(column).sum().cast(pl.Float64).alias("sum"))
    whole = of_metrics.filter(pl.col("slice") == ALL).drop("slice")
    return whole.join(sums, on=key, how="inner").filter(
        _differ(pl.col(column).fill_null(0).cast(pl.Float64), pl.col("sum"))
    )


def _no_growth(cells: pl.DataFrame) -> pl.DataFrame:
    people = cells.filter(pl.col("slice").is_in([ALL, *ATTRIBUTES]))

    def of(metric: str, column: str = "value") -> pl.Expr:
        return pl.col(column).filter(pl.col("metric") == metric).max()

    sums = people.group_by(CELL).agg(
        active=of("active_users"),
        joined=of("new_users") + of("win_back_users"),
        silent=of("newly_silent_users"),
        stayed=of("period_retention", "numerator"),
        before=of("period_retention", "denominator"),
    )
    wrong = _differ(pl.col("active"), pl.col("joined") + pl.col("stayed"))
    wrong |= _differ(pl.col("before"), pl.col("stayed") + pl.col("silent"))
    return sums.filter(wrong).with_columns(metric=pl.lit("active_users"), value=pl.col("active"))


def _differ(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """Null, where history does not reach, differs from nothing."""
    return ((a - b).abs() > TOLERANCE * pl.max_horizontal(pl.lit(1.0), a.abs(), b.abs())).fill_null(value=False)


def _told(law: str, found: pl.DataFrame) -> Iterator[str]:
    for (metric, window), cells in found.group_by("metric", "window", maintain_order=True):
        one = cells.row(0, named=True)
        where = f"{window} to {one['window_end']}, {one['slice']} {one.get('slice_value', '')}".rstrip()
        yield f"{metric} {law} in {cells.height} cells: {one['value']} ({where})"
