"""Month features: a subscriber's visits of a month in one row, beside the snapshot of the month."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pyarrow as pa

from visitgrain.arrow.maps import map_of_columns
from visitgrain.arrow.rows import ArrowRows, TableFiles
from visitgrain.catalogue.score_cards import REQUIRED, THOUSANDTHS
from visitgrain.segments.subscriber_parts import (
    Asked,
    of_orders,
    of_snapshot,
    of_snapshot_before,
    of_visit_days,
    of_visits,
    parts_of_subscribers,
    subscribers,
)
from visitgrain.span import DAY_US, Span
from visitgrain.tables.segmentation import MONTH_FEATURES
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS


class Purposes(NamedTuple):
    """What month features need of the catalogue: the purposes of the score cards, and the zone of a month's end."""

    purposes: tuple[str, ...]
    zone: str


def summarise_months(
    visits: TableFiles,
    visit_days: TableFiles,
    subscriber_month: TableFiles,
    snapshot_before: TableFiles,
    orders: TableFiles,
    *,
    spec: Purposes,
    span: Span,
) -> ArrowRows:
    """One row per subscriber with a visit that starts in the month or a snapshot of it.

    Visits that nobody is known for make one row of outcome 'anonymous' which is counted, not written.
    """
    sources = (
        (visits, of_visits),
        (visit_days, of_visit_days),
        (subscriber_month, of_snapshot),
        (snapshot_before, of_snapshot_before),
        (orders, of_orders),
    )
    asked = Asked(spec.purposes, span)
    by_subscriber = parts_of_subscribers(sources, asked)
    return ArrowRows(by_subscriber, partial(_features, asked=asked, zone=spec.zone))


def _features(batches: Iterable[pa.RecordBatch], *, asked: Asked, zone: str) -> Iterator[pa.Table]:
    found = subscribers(batches, asked)
    if found is not None:
        yield features(found, asked, zone)


def features(found: pl.DataFrame, asked: Asked, zone: str) -> pa.Table:
    """Rows of `month_features` and the reserved columns from one merged row per subscriber, null included."""
    rows = found.filter((pl.col("visits") > 0) | (pl.col("_snapshots") > 0))
    scores = {name: rows[f"_score_{name}"].to_numpy() / THOUSANDTHS for name in asked.purposes}
    computed = {
        "month": pa.repeat(pa.scalar(asked.span.month), rows.height),
        "active_days": rows["_days"].bitwise_count_ones().fill_null(0).to_arrow(),
        **_intervals(rows, asked.span, zone),
        "score": map_of_columns(scores),
        "score_per_visit": _per_visit(rows, scores[REQUIRED]),
        "business_events": map_of_columns(_counts(rows, "_business_", BUSINESSES)),
        "channel_visits": map_of_columns(_counts(rows, "_channel_", CHANNELS)),
        "in_service": rows["in_service"].fill_null(False).to_arrow(),
        "has_snapshot": (rows["_snapshots"] > 0).to_arrow(),
        "plan_downgraded": (rows["plan_fee_fen"] < rows["_fee_before"]).fill_null(False).to_arrow(),
        "ordered_businesses": _names_of_bits(rows["_ordered"].fill_null(0)),
        "_rows": rows["visits"].to_arrow(),
        "_outcome": rows["subscriber_id"].is_null().replace_strict({True: "anonymous", False: "kept"}).to_arrow(),
    }
    plain = rows.to_arrow()
    names = [*MONTH_FEATURES.column_names, "_rows", "_outcome"]
    return pa.table({name: computed[name] if name in computed else plain[name] for name in names})


def _intervals(rows: pl.DataFrame, span: Span, zone: str) -> dict[str, pa.Array]:
    """numpy divides; polars would multiply by the inverse, which differs in the last bit."""
    end = datetime.combine(span.end + timedelta(days=1), time.min, ZoneInfo(zone))
    gaps, gap_us = rows["_gaps"].to_numpy(), rows["_gap_us"].to_numpy()
    open_us = int(end.timestamp()) * 1_000_000 - rows["_last_us"].fill_null(0).to_numpy()
    mean_gap = gap_us / DAY_US / np.maximum(gaps, 1)
    return {
        "recency_days": _where_visited(rows, open_us / DAY_US),
        "mean_gap_days": pa.array(mean_gap, mask=gaps == 0),
        # The interval that the month's end cuts off counts as one more: without it a lone visit would have no mean.
        "mean_interval_days": _where_visited(rows, (gap_us + open_us) / DAY_US / (gaps + 1)),
        "mean_visits_30d": _per_visit(rows, rows["_visits_30d"].to_numpy()),
    }


def _per_visit(rows: pl.DataFrame, values: np.ndarray) -> pa.Array:
    return _where_visited(rows, values / np.maximum(rows["visits"].to_numpy(), 1))


def _where_visited(rows: pl.DataFrame, values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=rows["visits"].to_numpy() == 0)


def _counts(rows: pl.DataFrame, prefix: str, names: Iterable[str]) -> dict[str, np.ndarray]:
    return {name: rows[f"{prefix}{name}"].to_numpy() for name in names}


def _names_of_bits(bits: pl.Series) -> pa.Array:
    """Business lines in the order of their names: one list per combination, looked up by the number of its bits."""
    names = sorted(BUSINESSES)
    lists = [[name for place, name in enumerate(names) if mask >> place & 1] for mask in range(1 << len(names))]
    return pa.array(lists, pa.list_(pa.string())).take(bits.to_arrow())
