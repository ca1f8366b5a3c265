"""A metric of one subscriber, and the values that went into it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from visitgrain.arrow.rows import TableFiles
from visitgrain.catalogue.table_columns import metric_type
from visitgrain.metrics.bucket import Bucket
from visitgrain.metrics.describe import described
from visitgrain.metrics.frames import Frames
from visitgrain.metrics.history import first_needed
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.sources import Inputs, by_subscriber
from visitgrain.metrics.subscribers import subscriber_values
from visitgrain.metrics.values import Value
from visitgrain.metrics.windows import EPOCH, WindowEnd


def explain_metric(
    tables: dict[str, DataFrame | TableFiles], plans: Plans, *, metric: str, subscriber_id: int, window: WindowEnd
) -> Iterator[str]:
    """Lines: the metric, its window, what was read of the subscriber, and the value."""
    inputs, days = Inputs(**tables), window.bounds()  # type: ignore[arg-type]
    yield from described(plans.catalogue, metric)
    yield ""
    yield f"subscriber {subscriber_id}, {window.name} {days.start} to {days.end}"
    bucket = Bucket(by_subscriber(inputs, [window], plans, only=subscriber_id).select("rows").toArrow().to_batches())
    frame = Frames(bucket, plans, inputs.snapshot_months([window], plans)).of_subscribers(window)
    if not frame.present.any():
        yield "nothing is known of this subscriber in the window, nor in a snapshot or state before it"
        return
    for found, value in sorted(frame.people.atoms.items(), key=lambda item: str(item[0])):
        name = plans.measures[found.measure].column(found.key) + (f"__p{found.back}" if found.back else "")
        yield f"  {name:<40} {_told(value, frame.people.origin)}"
    reach, needed = bucket.reach(window), first_needed(plans.metrics[0], window, plans)
    if reach.covered_from is None or reach.covered_from > needed:
        yield f"  measured from {reach.covered_from} on, needed from {needed}: no value"
    result = subscriber_values(frame.people, plans, reach).get(metric)
    whole = metric_type(plans.catalogue.metrics[metric]) == "bigint"
    yield f"{metric} = {'null' if result is None else _number(result, whole)}"


def _told(value: Value, origin: int) -> Any:
    """Of the only subscriber; the newest of a set of dates."""
    if value.kind == "set":
        bits = np.flatnonzero(np.unpackbits(value.data[:1].view(np.uint8), bitorder="little"))
        days = [_day(origin + int(bit)) for bit in bits]
        return f"{len(days)} days, the last {', '.join(map(str, days[-10:]))}" if days else "none"
    if value.there is not None and not value.there[0]:
        return "nothing"
    return _day(int(value.data[0])) if value.kind == "date" else value.data[0]


def _number(value: Value, whole: bool) -> Any:
    data, there = value.of_all(1)
    return (int if whole else float)(data[0]) if there[0] else "null"


def _day(number: int) -> date:
    return EPOCH + timedelta(days=number)
