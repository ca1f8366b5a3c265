"""The wide table: every metric that one subscriber has, in one row per subscriber and window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from visitgrain.arrow.casting import ARROW, constant
from visitgrain.arrow.rows import ArrowRows, TableFiles
from visitgrain.catalogue.table_columns import metric_type
from visitgrain.metrics.bucket import Bucket
from visitgrain.metrics.frames import Frames, Months
from visitgrain.metrics.history import Reach
from visitgrain.metrics.outer import outer
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.sources import Inputs, by_subscriber
from visitgrain.metrics.values import People, Value
from visitgrain.metrics.windows import WindowEnd, at_the_end
from visitgrain.span import Span
from visitgrain.tables.measuring import SUBSCRIBER_METRICS


def compute_subscriber_metrics(*, spec: Plans, span: Span, **tables: DataFrame | TableFiles) -> ArrowRows:
    """One row per subscriber and window that ends with the span. A metric without that window is null there."""
    inputs = Inputs(**tables)  # type: ignore[arg-type]
    windows = list(at_the_end(spec.windows, span))
    months = inputs.snapshot_months(windows, spec)
    rows = partial(subscriber_rows, windows=windows, plans=spec, months=months)
    return ArrowRows(by_subscriber(inputs, windows, spec), rows)


def subscriber_rows(
    batches: Iterable[pa.RecordBatch],
    *,
    windows: Sequence[WindowEnd],
    plans: Plans,
    months: Months,
) -> Iterator[pa.Table]:
    """In a worker: the rows of one bucket, a table per window."""
    bucket = Bucket(batches)
    frames = Frames(bucket, plans, months)
    for window in windows:
        frame = frames.of_subscribers(window)
        rows = np.flatnonzero(frame.present & bucket.known)
        if len(rows):
            yield _table(frame.people, bucket.ids, rows, plans, bucket.reach(window))


def _table(people: People, ids: NDArray[np.int64], rows: NDArray[np.int64], plans: Plans, reach: Reach) -> pa.Table:
    window, size = people.window, len(rows)
    own = {
        "subscriber_id": pa.array(ids[rows]),
        "window": constant(window.name, size),
        "window_end": pa.repeat(pa.scalar(window.end), size),
        "window_start": pa.repeat(pa.scalar(window.bounds().start), size),
        "complete_through": pa.repeat(pa.scalar(reach.complete_through, ARROW["timestamp"]), size),
        "catalogue_hash": constant(plans.hash, size),
    }
    found = subscriber_values(people, plans, reach)
    types = {
        name: ARROW[metric_type(plans.catalogue.metrics[name])]
        for name in SUBSCRIBER_METRICS.column_names
        if name not in own
    }
    values = {
        name: _column(found[name], people.size, rows).cast(kind) if name in found else pa.nulls(size, kind)
        for name, kind in types.items()
    }
    return pa.table(own | values)


def _column(value: Value, size: int, rows: NDArray[np.int64]) -> pa.Array:
    data, there = value.of_all(size)
    return pa.array(data[rows], mask=~there[rows])


def subscriber_values(people: People, plans: Plans, reach: Reach) -> dict[str, Value]:
    """By metric that has the window, and that history reaches: its value of each subscriber."""
    leaves = {leaf: Value(people.leaf(leaf)) for leaf in plans.summed}
    return {
        metric.id: outer(plans.trees[metric.id], leaves, people.window)
        for metric in plans.metrics
        if reach.covers(metric, people.window, plans)
    }
