"""Cells -> rows of population_metrics: the arithmetic of every metric on the sums of everybody in a cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from visitgrain.arrow.casting import ARROW
from visitgrain.arrow.exact import FRACTION, parts_of, whole_of
from visitgrain.arrow.shuffle import by_mark
from visitgrain.catalogue.formulas import Leaf
from visitgrain.catalogue.measures import SKETCH_BASE
from visitgrain.catalogue.metrics import Metric
from visitgrain.metrics.history import Reach
from visitgrain.metrics.outer import outer
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.slices import ALL, ATTRIBUTES, CELL, KEY, SLICE
from visitgrain.metrics.values import Value, both, calculated, filled
from visitgrain.metrics.windows import WindowEnd
from visitgrain.tables.measuring import POPULATION_METRICS

Array = NDArray[Any]
PEOPLE, EVENTS, MEMBERS = "people", "events", "members"
SKETCHES_OF_PEOPLE, SKETCHES_OF_EVENTS = "sketches of people", "sketches of events"
STRATUM = "campaign_id"
OF_WINDOW = (*KEY, "covered_from", "complete_through")


@dataclass(frozen=True)
class Asked:
    """Metrics of everybody and of attributes, those also told apart by event, those rolled up from campaigns, and the
    last two together; and the windows."""

    people: Plans
    events: Plans
    rolled: Plans
    of_slices: Plans
    windows: Sequence[WindowEnd]

    @classmethod
    def of(cls, plans: Plans, windows: Sequence[WindowEnd]) -> Asked:
        rolled = {metric.id for metric in plans.metrics if metric.rollup}
        by_event = {metric.id for metric in plans.metrics if plans.catalogue.slices(metric.id)}
        everybody = {metric.id for metric in plans.metrics} - rolled
        return cls(*map(plans.only, (everybody, by_event, rolled, by_event | rolled)), windows)


def population_rows(batches: Iterable[pa.RecordBatch], *, asked: Asked) -> Iterator[pa.Table]:
    """In a worker: rows of population_metrics from the cells of all buckets."""
    sent = by_mark(batches)
    for of, sketches, plans, slices in (
        (PEOPLE, SKETCHES_OF_PEOPLE, asked.people, (ALL, *ATTRIBUTES)),
        (EVENTS, SKETCHES_OF_EVENTS, asked.events, ()),
    ):
        quantiles = _quantiles(sent.get(sketches, []), plans)
        for window, reach, cells in _by_window(sent.get(of, []), SLICE, asked.windows):
            leaves = leaves_of(cells, plans) | _placed(quantiles, cells, plans)
            yield from rows_of(cells, leaves, plans, window, reach, slices)
    for window, reach, cells in _by_window(sent.get(MEMBERS, []), [*SLICE, STRATUM], asked.windows):
        yield from _rolled_up(cells, asked.rolled, window, reach)


def _by_window(
    tables: Sequence[pa.Table], keys: Sequence[str], windows: Iterable[WindowEnd]
) -> Iterator[tuple[WindowEnd, Reach, pl.DataFrame]]:
    if tables:
        cells = added_up(tables, [*OF_WINDOW, *keys])
        for window in windows:
            own = cells.filter((pl.col("window") == window.name) & (pl.col("window_end") == window.end))
            if own.height:
                yield window, Reach(own["covered_from"][0], own["complete_through"][0]), own


def added_up(tables: Iterable[pa.Table], keys: Sequence[str]) -> pl.DataFrame:
    """Rows of the same keys added up."""
    frames = [pl.DataFrame(pl.from_arrow(table)) for table in tables]
    return pl.concat(frames, how="diagonal").group_by(keys).agg(pl.exclude(keys).sum())


def leaves_of(cells: pl.DataFrame, plans: Plans) -> dict[Leaf, Value]:
    """The sums of `cells` as numbers again."""
    return {leaf: Value(_number(cells, name)) for leaf, name in plans.summed.items()}


def _number(cells: pl.DataFrame, name: str) -> Array:
    whole = cells[name].to_numpy()
    return whole_of(whole, cells[name + FRACTION].to_numpy()) if name + FRACTION in cells.columns else whole


def rows_of(
    cells: pl.DataFrame,
    leaves: Mapping[Leaf, Value],
    plans: Plans,
    window: WindowEnd,
    reach: Reach,
    slices: Sequence[str],
) -> Iterator[pa.Table]:
    """A table per metric that has the window: its rows of `slices`, and of those that its measures allow."""
    for metric in plans.metrics:
        if window.name in metric.windows:
            trees = plans.trees[metric.id], plans.fractions[metric.id].numerator, plans.fractions[metric.id].denominator
            value, above, below = (_NULL if tree is None else outer(tree, leaves, window) for tree in trees)
            allowed = slices or plans.catalogue.slices(metric.id)
            yield _table(metric, cells, (value, above, below), plans, window, reach, allowed)


def _rolled_up(cells: pl.DataFrame, plans: Plans, window: WindowEnd, reach: Reach) -> Iterator[pa.Table]:
    """Metrics of campaigns for everybody and every attribute: computed per campaign, weighted by its members."""
    leaves, flags = leaves_of(cells, plans), list(plans.stands.values())
    for metric in plans.metrics:
        if window.name in metric.windows:
            value, weight = (outer(tree[metric.id], leaves, window) for tree in (plans.trees, plans.weights))
            weighed = weight._replace(there=both(value.there, weight.there))
            sums = cells.select(*SLICE, *flags).with_columns(
                **_parts("above", calculated("*", weighed, value)), **_parts("below", weighed)
            )
            totals = sums.group_by(SLICE).agg(pl.exclude(SLICE).sum())
            above, below = (Value(_number(totals, name)) for name in ("above", "below"))
            values = calculated("/", above, below), above, below
            yield _table(metric, totals, values, plans, window, reach, (ALL, *ATTRIBUTES, STRATUM))


def _parts(name: str, value: Value) -> dict[str, pl.Series]:
    whole, fraction = parts_of(filled(value).astype(np.float64))
    return {name: pl.Series(whole), name + FRACTION: pl.Series(fraction)}


def _table(
    metric: Metric,
    cells: pl.DataFrame,
    values: tuple[Value, Value, Value],
    plans: Plans,
    window: WindowEnd,
    reach: Reach,
    slices: Sequence[str],
) -> pa.Table:
    rows = np.flatnonzero(cells["slice"].is_in(list(slices)).to_numpy())
    size, known = cells.height, reach.covers(metric, window, plans)
    told = both(np.full(size, known), values[0].there)
    value, above, below = (_doubles(each, told, size).take(pa.array(rows)) for each in values)
    columns = {
        "metric": pa.repeat(pa.scalar(metric.id), len(rows)),
        "window": pa.repeat(pa.scalar(window.name), len(rows)),
        "window_end": pa.repeat(pa.scalar(window.end), len(rows)),
        **{name: cells[name].gather(rows).to_arrow().cast(pa.string()) for name in SLICE},
        "value": value,
        "numerator": above,
        "denominator": below,
        "subscribers": cells[plans.stands[plans.stands_on(metric.id)]].gather(rows).to_arrow(),
        "definition_hash": pa.repeat(pa.scalar(plans.catalogue.definition_hash(metric.id)), len(rows)),
        "complete_through": pa.repeat(pa.scalar(reach.complete_through, ARROW["timestamp"]), len(rows)),
    }
    return pa.table({name: columns[name] for name in POPULATION_METRICS.column_names})


def _doubles(value: Value, told: Array | None, size: int) -> pa.Array:
    data, there = value._replace(there=both(value.there, told)).of_all(size)
    return pa.array(data.astype(np.float64), mask=~there)


def _quantiles(sketches: Sequence[pa.Table], plans: Plans) -> pl.DataFrame:
    """One row per leaf and cell with observations: the upper bound of the bucket in which the quantile lies."""
    if not sketches or not plans.quantiles:
        return _UNOBSERVED
    counts = added_up(sketches, ["leaf", *CELL, "bucket"]).sort("bucket")
    shares = {name: float(str(leaf.key)) for leaf, name in plans.quantiles.items()}
    share = pl.col("leaf").replace_strict(shares, return_dtype=pl.Float64)
    of_cell = ["leaf", *CELL]
    reached = pl.col("n").cum_sum().over(of_cell) >= share * pl.col("n").sum().over(of_cell)
    bound = SKETCH_BASE ** pl.col("bucket").min().cast(pl.Float64)
    return counts.filter(reached).group_by(of_cell).agg(bound.alias("bound"))


def _placed(quantiles: pl.DataFrame, cells: pl.DataFrame, plans: Plans) -> dict[Leaf, Value]:
    """Quantiles in the order of the cells."""
    found = {}
    for leaf, name in plans.quantiles.items():
        own = quantiles.filter(pl.col("leaf") == name)
        bound = cells.select(CELL).join(own, on=CELL, how="left", maintain_order="left")["bound"]
        found[leaf] = Value(bound.fill_null(0.0).to_numpy(), bound.is_not_null().to_numpy())
    return found


_UNOBSERVED = pl.DataFrame(
    schema={
        "leaf": pl.String,
        "window": pl.String,
        "window_end": pl.Date,
        "slice": pl.String,
        "slice_value": pl.String,
        "bound": pl.Float64,
    }
)
_NULL = Value(np.asarray(0.0), np.asarray(False))
