"""Visits summed per subscriber: read, brought together and added up as columns; see docs/adr/0007."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from visitgrain.arrow.casting import micros
from visitgrain.arrow.hashing import mix
from visitgrain.arrow.maps import numbers_by_key
from visitgrain.arrow.rows import TableFiles, parts_of, read_part
from visitgrain.arrow.shuffle import buckets_of, exchanged, packed, packed_by, unpacked
from visitgrain.catalogue.score_cards import THOUSANDTHS
from visitgrain.span import DAY_US
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS

VISITS_PER_TASK = 1_000_000
# Sums over visits: month feature -> column of visits.
SUMS = {
    "duration_s": "duration_s",
    "events": "events",
    "page_views": "page_views",
    "actions": "actions",
    "orders": "order_paid",
    "topups": "topup",
    "paid_fen": "paid_fen",
    "_visits_30d": "visits_30d",
    **{f"_business_{name}": f"{name}_events" for name in BUSINESSES},
}


def sums_of_visits(visits: TableFiles, purposes: tuple[str, ...]) -> DataFrame:
    """One row per subscriber, null included: `visits`, the columns of `SUMS`, `_gaps` and `_gap_us` (number and sum of
    the gaps), `_last_us` (latest start), `_channel_<name>` (visits) and `_score_<purpose>`.
    """
    buckets = buckets_of(visits.rows, each=VISITS_PER_TASK)
    pack = partial(_packed, purposes=purposes, buckets=buckets)
    by_subscriber = exchanged(packed_by(visits.listing, pack), buckets)
    whole = ["subscriber_id", "visits", *SUMS, "_gaps", "_gap_us", "_last_us", *(f"_channel_{n}" for n in CHANNELS)]
    types = {**dict.fromkeys(whole, "bigint"), **{f"_score_{name}": "double" for name in purposes}}
    return by_subscriber.mapInArrow(
        partial(_summed, purposes=purposes), ", ".join(f"{name} {type_}" for name, type_ in types.items())
    )


def _packed(listing: Iterator[pa.RecordBatch], *, purposes: tuple[str, ...], buckets: int) -> Iterator[pa.RecordBatch]:
    columns = ["subscriber_id", "channel", "start", "gap_days", "score", *SUMS.values()]
    tables = (read_part(file, columns, dictionaries=["channel"]) for file in parts_of(listing))
    return packed((_narrow(table, purposes) for table in tables), key="key", buckets=buckets)


def _narrow(visits: pa.Table, purposes: tuple[str, ...]) -> pa.Table:
    """Gaps and scores in whole units, so that sums come out the same in any order."""
    subscriber = pc.fill_null(visits["subscriber_id"], 0).to_numpy().astype(np.uint64)
    columns = {
        "key": mix(subscriber).view(np.int64),
        "subscriber_id": visits["subscriber_id"],
        "channel": visits["channel"],
        "last_us": micros(visits["start"]),
        "gap_us": pc.round(pc.multiply(visits["gap_days"], float(DAY_US))).cast(pa.int64()),
        **{name: visits[source] for name, source in SUMS.items()},
    }
    for purpose, score in numbers_by_key(visits["score"], purposes).items():
        columns[f"_score_{purpose}"] = pa.array(np.rint(score * THOUSANDTHS).astype(np.int64))
    return pa.table(columns)


def _summed(batches: Iterator[pa.RecordBatch], *, purposes: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    visits = unpacked(batches)
    if visits is None:
        return
    sums = (
        pl.DataFrame(pl.from_arrow(visits))
        .group_by("subscriber_id")
        .agg(
            pl.len().cast(pl.Int64).alias("visits"),
            *[pl.col(name).cast(pl.Int64).sum() for name in SUMS],
            pl.col("gap_us").count().cast(pl.Int64).alias("_gaps"),
            pl.col("gap_us").sum().alias("_gap_us"),
            pl.col("last_us").max().alias("_last_us"),
            *[(pl.col("channel") == name).sum().cast(pl.Int64).alias(f"_channel_{name}") for name in CHANNELS],
            *[pl.col(f"_score_{name}").sum() for name in purposes],
        )
    )
    # numpy divides; polars would multiply by 0.001, which 1000 parts do not equal.
    scores = {f"_score_{name}": sums[f"_score_{name}"].to_numpy() / THOUSANDTHS for name in purposes}
    yield from sums.with_columns(**{name: pl.Series(values) for name, values in scores.items()}).to_arrow().to_batches()
