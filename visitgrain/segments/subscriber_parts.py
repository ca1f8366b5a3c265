"""What the tables of a month say of its subscribers, merged to one row each: columns all the way; docs/adr/0007."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, reduce
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from visitgrain.arrow.casting import micros
from visitgrain.arrow.hashing import mix
from visitgrain.arrow.maps import numbers_by_key
from visitgrain.arrow.rows import FilePart, TableFiles, parts_of, read_part
from visitgrain.arrow.shuffle import buckets_of, exchanged, packed, packed_by, unpacked
from visitgrain.catalogue.score_cards import THOUSANDTHS
from visitgrain.span import DAY_US, Span
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, IN_SERVICE

ROWS_PER_TASK = 1_000_000
COMPLETED = ("paid", "fulfilled", "cancelled")  # an order cancelled after payment was completed first
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
# Of one row per subscriber at most: the value, whatever it is merged with.
SNAPSHOT = {
    **dict.fromkeys(("age", "arpu_fen", "plan_fee_fen", "_fee_before"), pl.Int64),
    "dou_mb": pl.Float64,
    "plan_id": pl.String,
    "in_service": pl.Boolean,
}
BITS = ("_days", "_ordered")


class Asked(NamedTuple):
    """What the parts depend on beside the files. Purposes are those of the score cards."""

    purposes: tuple[str, ...]
    span: Span


Part = Callable[[FilePart, Asked], pl.DataFrame]


def parts_of_subscribers(sources: Sequence[tuple[TableFiles, Part]], asked: Asked) -> DataFrame:
    """Merged parts of all sources, packed by subscriber: what `subscribers` takes."""
    buckets = buckets_of(max(files.rows for files, _ in sources), each=ROWS_PER_TASK)
    filled = [source for source in sources if source[0].files] or sources[:1]
    packs = [(files.listing, partial(packed_parts, part=part, asked=asked, buckets=buckets)) for files, part in filled]
    return exchanged(reduce(DataFrame.unionByName, (packed_by(*pack) for pack in packs)), buckets)


def subscribers(batches: Iterable[pa.RecordBatch], asked: Asked) -> pl.DataFrame | None:
    """One row per subscriber of the bucket, with every column: sums are 0, the others null where there is nothing."""
    rows = unpacked(batches)
    if rows is None:
        return None
    return merged(pl.concat([pl.DataFrame(pl.from_arrow(rows)).drop("_key"), _nobody(asked)], how="diagonal_relaxed"))


def _nobody(asked: Asked) -> pl.DataFrame:
    sums = ["visits", "_gaps", "_gap_us", "_snapshots", *SUMS, *(f"_channel_{name}" for name in CHANNELS)]
    whole = ["subscriber_id", "_last_us", *sums, *(f"_score_{name}" for name in asked.purposes), *BITS]
    return pl.DataFrame(schema={**dict.fromkeys(whole, pl.Int64), **SNAPSHOT})


def packed_parts(
    listing: Iterable[pa.RecordBatch], *, part: Part, asked: Asked, buckets: int
) -> Iterator[pa.RecordBatch]:
    """`part` of every listed file, packed by subscriber."""
    parts = [part(file, asked) for file in parts_of(listing)]
    if not parts:
        return
    rows = pl.concat(parts)
    if 2 * rows["subscriber_id"].approx_n_unique() < rows.height:  # else merging costs more than it saves
        rows = merged(rows)
    key = mix(rows["subscriber_id"].fill_null(0).to_numpy().astype(np.uint64))
    sums = [name for name in rows.columns if name not in ("subscriber_id", *SNAPSHOT)]
    narrow = rows.with_columns(*(rows[name].shrink_dtype() for name in sums), _key=key.view(np.int64))
    yield from packed([narrow.to_arrow()], key="_key", buckets=buckets)


def merged(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per subscriber, null included. Merging again changes nothing, so a task merges before it sends."""
    return rows.group_by("subscriber_id").agg(_merge(name) for name in rows.columns if name != "subscriber_id")


def _merge(name: str) -> pl.Expr:
    column = pl.col(name)
    if name in BITS:
        return column.bitwise_or()
    return column.max() if name in (*SNAPSHOT, "_last_us") else column.cast(pl.Int64).sum()


def of_visits(file: FilePart, asked: Asked) -> pl.DataFrame:
    """Gaps and scores in whole units, so that sums come out the same in any order."""
    columns = ["subscriber_id", "channel", "start", "gap_days", "score", *SUMS.values()]
    found = read_part(file, columns, dictionaries=["channel", "score"])
    gaps = pc.round(pc.multiply(found["gap_days"], float(DAY_US))).cast(pa.int64())
    scores = numbers_by_key(found["score"], asked.purposes)
    visits = pl.DataFrame(pl.from_arrow(found.drop_columns(["score", "gap_days"])))
    return visits.select(
        "subscriber_id",
        visits=pl.lit(1, pl.Int8),
        _gaps=pl.Series(gaps.is_valid()).cast(pl.Int8),
        _gap_us=pl.Series(gaps),
        _last_us=pl.Series(micros(found["start"])),
        **{name: pl.col(source) for name, source in SUMS.items()},
        **{f"_channel_{name}": (pl.col("channel") == name).cast(pl.Int8) for name in CHANNELS},
        **{f"_score_{name}": np.rint(scores[name] * THOUSANDTHS).astype(np.int64) for name in asked.purposes},
    )


def of_visit_days(file: FilePart, asked: Asked) -> pl.DataFrame:
    """Active days as bits of one number: no distinct. A visit over midnight counts on both days, each in its month."""
    days = pl.DataFrame(pl.from_arrow(read_part(file, ["subscriber_id", "day", "active_events"])))
    active = days.filter(pl.col("active_events") > 0, pl.col("day").is_between(asked.span.start, asked.span.end))
    return active.select("subscriber_id", _days=2 ** (pl.col("day").dt.day().cast(pl.Int64) - 1))


def of_snapshot(file: FilePart, asked: Asked) -> pl.DataFrame:
    columns = ["subscriber_id", "birth_year", "age", "arpu_fen", "dou_mb", "plan_id", "plan_fee_fen", "status"]
    snapshots = pl.DataFrame(pl.from_arrow(read_part(file, columns)))
    age = pl.coalesce(asked.span.month.year - pl.col("birth_year"), "age")
    return snapshots.select(
        *(name for name in columns if name not in ("birth_year", "age", "status")),
        age=age,
        in_service=pl.col("status").is_in(IN_SERVICE),
        _snapshots=pl.lit(1, pl.Int8),
    )


def of_snapshot_before(file: FilePart, _: Asked) -> pl.DataFrame:
    snapshots = read_part(file, ["subscriber_id", "plan_fee_fen"]).rename_columns(["subscriber_id", "_fee_before"])
    return pl.DataFrame(pl.from_arrow(snapshots))


def of_orders(file: FilePart, _: Asked) -> pl.DataFrame:
    """Business lines with a completed order as bits, in the order of their names."""
    orders = pl.DataFrame(pl.from_arrow(read_part(file, ["subscriber_id", "business", "status"])))
    bits = {name: 1 << place for place, name in enumerate(sorted(BUSINESSES))}
    completed = orders.filter(pl.col("status").is_in(COMPLETED), pl.col("business").is_in(list(bits)))
    return completed.select("subscriber_id", _ordered=pl.col("business").replace_strict(bits, return_dtype=pl.Int64))
