"""Every metric for everybody and for every slice: the leaves of subscribers summed, then the arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from visitgrain.arrow.casting import ARROW
from visitgrain.arrow.rows import ArrowRows, TableFiles
from visitgrain.arrow.shuffle import BUCKETS, BUCKETS_DDL, as_binary, exchanged, marked
from visitgrain.metrics.bucket import Bucket
from visitgrain.metrics.cells import Membership, observed, of_attributes, of_events, of_strata, summed
from visitgrain.metrics.frames import Frame, Frames, Months
from visitgrain.metrics.history import Reach
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.population_rows import (
    EVENTS,
    MEMBERS,
    OF_WINDOW,
    PEOPLE,
    SKETCHES_OF_EVENTS,
    SKETCHES_OF_PEOPLE,
    STRATUM,
    Asked,
    population_rows,
)
from visitgrain.metrics.sources import Inputs, by_subscriber
from visitgrain.metrics.sums_of_days import DayRows
from visitgrain.metrics.windows import WindowEnd, at_the_end, windows_of
from visitgrain.span import Span


def compute_population_metrics(*, spec: Plans, span: Span, **tables: DataFrame | TableFiles) -> ArrowRows:
    """One row per metric, window that ends on a day of the span, slice and value."""
    return _population(Inputs(**tables), spec, list(windows_of(spec.windows, span)))  # type: ignore[arg-type]


def compute_monthly_population_metrics(*, spec: Plans, span: Span, **tables: DataFrame | TableFiles) -> ArrowRows:
    """The same for the windows that end with the month."""
    return _population(Inputs(**tables), spec, list(at_the_end(spec.windows, span)))  # type: ignore[arg-type]


def _population(inputs: Inputs, plans: Plans, windows: Sequence[WindowEnd]) -> ArrowRows:
    asked = Asked.of(plans, windows)
    months = inputs.snapshot_months(windows, asked.people)
    rows = by_subscriber(inputs, windows, asked.people, asked.of_slices)
    sums = rows.mapInArrow(partial(_cells, asked=asked, months=months), BUCKETS_DDL)
    return ArrowRows(exchanged(sums, 1), partial(population_rows, asked=asked))


def _cells(batches: Iterable[pa.RecordBatch], *, asked: Asked, months: Months) -> Iterator[pa.RecordBatch]:
    """In a worker: the cells of one bucket of subscribers, packed."""
    bucket = Bucket(batches)
    people, events, rolled = (Frames(bucket, plans, months) for plans in (asked.people, asked.events, asked.rolled))
    tables = []
    for window in asked.windows:
        frame, reach = people.of_subscribers(window), bucket.reach(window)
        found = [
            *of_people(bucket, frame, asked.people),
            *_of_events(bucket, events.of_slices(window), asked.events),
            *_of_members(bucket, rolled.of_slices(window), frame, asked.rolled),
        ]
        tables += [of_window(of, table, window, reach) for of, table in found if len(table)]
    yield pa.RecordBatch.from_arrays([pa.array([0] * len(tables), pa.int32()), as_binary(tables)], schema=BUCKETS)


def of_window(of: str, cells: pa.Table, window: WindowEnd, reach: Reach) -> pa.Table:
    """The cells as `population_rows` takes them."""
    values = (window.name, window.end, reach.covered_from, reach.complete_through)
    kinds = pa.string(), pa.date32(), pa.date32(), ARROW["timestamp"]
    for name, value, kind in zip(OF_WINDOW, values, kinds, strict=True):
        cells = cells.append_column(name, pa.repeat(pa.scalar(value, kind), len(cells)))
    return marked(cells, of)


Cells = Iterator[tuple[str, pa.Table]]


def of_people(bucket: Bucket, frame: Frame, plans: Plans) -> Cells:
    """Everybody and each attribute."""
    members = of_attributes(frame.attributes, np.arange(bucket.size))
    yield PEOPLE, summed(frame.people, plans, members, frame.present, bucket.known)
    yield from _sketches(SKETCHES_OF_PEOPLE, bucket.days, plans, frame, members)


def _of_events(bucket: Bucket, frame: Frame, plans: Plans) -> Cells:
    people, slices, values = bucket.slices
    members = of_events(slices, values)
    yield EVENTS, summed(frame.people, plans, members, frame.present, bucket.known[people])
    yield from _sketches(SKETCHES_OF_EVENTS, bucket.slice_days, plans, frame, members)


def _of_members(bucket: Bucket, frame: Frame, everybody: Frame, plans: Plans) -> Cells:
    """Campaigns, for everybody and each attribute of their members."""
    people, slices, values = bucket.slices
    if STRATUM not in slices.texts:
        return
    present = frame.present & (slices.codes == slices.texts.index(STRATUM))
    members = of_strata(of_attributes(everybody.attributes, people), values, STRATUM)
    yield MEMBERS, summed(frame.people, plans, members, present, bucket.known[people])


def _sketches(of: str, days: DayRows, plans: Plans, frame: Frame, members: Membership) -> Cells:
    for leaf, name in plans.quantiles.items():
        within = frame.people.window.bounds(leaf.back)
        counts = observed(days, str(leaf.tree.name), within, members)  # type: ignore[union-attr]
        yield of, counts.append_column("leaf", pa.repeat(pa.scalar(name), len(counts)))
