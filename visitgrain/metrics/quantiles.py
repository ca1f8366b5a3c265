"""Quantiles of sketches: counts per bucket added up over the days and subscribers of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame, Window, functions as F

from visitgrain.catalogue.expression_tree import Name
from visitgrain.catalogue.formulas import Leaf
from visitgrain.catalogue.measures import SKETCH_BASE
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.snapshots import with_slices_of_people
from visitgrain.metrics.window_rows import CELL, KEY, ranges
from visitgrain.metrics.windows import WindowEnd


def with_quantiles(
    cells: DataFrame, days: DataFrame, attributes: DataFrame | None, windows: Sequence[WindowEnd], plans: Plans
) -> DataFrame:
    """`cells` with a column per quantile. `attributes` of subscribers tell days apart; None = days have slices."""

    def joined(found: DataFrame, item: tuple[Leaf, str]) -> DataFrame:
        leaf, column = item
        return found.join(
            _quantile(leaf, days, attributes, windows).withColumnRenamed("_value", column), list(CELL), how="left"
        )

    return reduce(joined, plans.quantiles.items(), cells)


def _quantile(leaf: Leaf, days: DataFrame, attributes: DataFrame | None, windows: Sequence[WindowEnd]) -> DataFrame:
    """One row per cell with observations: the upper bound of the bucket in which the quantile lies."""
    assert isinstance(leaf.tree, Name)
    spread = F.broadcast(ranges(days, windows, (leaf.back,)))
    there = days.where(F.size(leaf.tree.name) > 0)
    rows = there.join(spread, F.col("day").between(F.col("first"), F.col("last")), how="inner")
    keys = [*KEY, "subscriber_id"] if attributes is not None else list(CELL)
    counts = rows.select(*keys, F.explode(leaf.tree.name).alias("_bucket", "_n"))
    if attributes is not None:
        counts = with_slices_of_people(counts, attributes).select(*KEY, "_bucket", "_n", F.inline("_slices"))
    counts = counts.groupBy(*CELL, "_bucket").agg(F.sum("_n").alias("_n"))
    upward = Window.partitionBy(*CELL).orderBy("_bucket")
    everything = Window.partitionBy(*CELL)
    reached = F.sum("_n").over(upward) >= F.lit(float(str(leaf.key))) * F.sum("_n").over(everything)
    found = counts.select(*CELL, F.when(reached, F.col("_bucket")).alias("_bucket"))
    return found.groupBy(*CELL).agg(F.pow(F.lit(SKETCH_BASE), F.min("_bucket")).alias("_value"))
