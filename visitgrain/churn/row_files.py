"""The rows of `model_rows.rows_of` for one model, read and joined in the workers, in columns; docs/adr/0007."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.hashing import mix
from visitgrain.arrow.rows import NOWHERE, FilePart, Function, TableFiles, parts_of, read_part, read_pieces
from visitgrain.arrow.shuffle import buckets_of, exchanged, packed, packed_by, unpacked
from visitgrain.churn.model_rows import KEY
from visitgrain.span import Span
from visitgrain.tables.churning import FEATURES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS_PER_TASK = 250_000  # where rows of two tables are brought together
ROWS_AT_ONCE = 50_000
Windows = Mapping[str, Sequence[str]]  # window -> metrics


@dataclass(frozen=True)
class RowFiles:
    """In a worker, `function` turns the batches of a partition of `frame` into tables: KEY, and each feature of
    `names` as double."""

    frame: DataFrame
    function: Function


def rows_in_files(
    churn_features: TableFiles,
    subscriber_metrics: TableFiles,
    names: Sequence[str],
    windows: Sequence[str],
    *,
    active: bool = True,
) -> RowFiles:
    """Rows as of `model_rows.rows_of`. Without metrics among the features nothing is shuffled."""
    metrics = metrics_in(names, windows)
    habits = [name for name in names if name in FEATURES]
    if not metrics:
        return RowFiles(churn_features.listing, partial(_read, names=habits, active=active))
    buckets = buckets_of(churn_features.rows, each=ROWS_PER_TASK)
    packs = [
        packed_by(
            churn_features.listing,
            partial(_packed, read=partial(_habits, names=habits, active=active), buckets=buckets),
        ),
        packed_by(
            subscriber_metrics.listing, partial(_packed, read=partial(_metrics, metrics=metrics), buckets=buckets)
        ),
    ]
    both = packs[0].unionByName(packs[1])
    return RowFiles(exchanged(both, buckets), partial(_joined, names=tuple(names), metrics=metrics))


def metrics_in(names: Sequence[str], windows: Sequence[str]) -> dict[str, list[str]]:
    """Of features called id_window: the metrics by window."""
    found = {
        window: [
            name.removesuffix(f"_{window}") for name in names if name not in FEATURES and name.endswith(f"_{window}")
        ]
        for window in windows
    }
    return {window: metrics for window, metrics in found.items() if metrics}


def _read(listing: Iterator[pa.RecordBatch], *, names: Sequence[str], active: bool) -> Iterator[pa.Table]:
    for file in parts_of(listing):
        for rows in read_pieces(file, _columns(names), rows=ROWS_AT_ONCE):
            yield _chosen(rows, names, active)


def _packed(listing: Iterable[pa.RecordBatch], *, read: partial[pa.Table], buckets: int) -> Iterator[pa.RecordBatch]:
    for file in parts_of(listing):
        table = read(file)
        key = mix(table["subscriber_id"].to_numpy().astype(np.uint64)).view(np.int64)
        yield from packed([table.append_column("_key", pa.array(key))], key="_key", buckets=buckets)


def _habits(file: FilePart, *, names: Sequence[str], active: bool) -> pa.Table:
    return _chosen(read_part(file, _columns(names)), names, active)


def _columns(names: Sequence[str]) -> list[str]:
    return [*KEY, "active", "gone", *names]


def _chosen(rows: pa.Table, names: Sequence[str], active: bool) -> pa.Table:
    there = pc.and_(rows["active"] if active else pc.invert(rows["active"]), pc.invert(rows["gone"]))
    return rows.select([*KEY, *names]).filter(there)


def _metrics(file: FilePart, *, metrics: Windows) -> pa.Table:
    """Of windows that end with the month: nothing of later days enters."""
    wanted = list(dict.fromkeys(name for names in metrics.values() for name in names))
    end = file.partition
    assert end is not None  # the table is partitioned
    rows = read_part(
        file if end == Span.month_of(end).end else replace(file, part=NOWHERE), ["subscriber_id", "window", *wanted]
    )
    rows = rows.filter(pc.is_in(rows["window"], pa.array(list(metrics))))
    values = {name: rows[name].cast(pa.float64(), safe=False) for name in wanted}
    month = pa.repeat(pa.scalar(end.replace(day=1)), len(rows))
    return pa.table({"subscriber_id": rows["subscriber_id"], "month": month, "window": rows["window"], **values})


def _joined(batches: Iterator[pa.RecordBatch], *, names: Sequence[str], metrics: Windows) -> Iterator[pa.Table]:
    found = unpacked(batches)
    if found is None:
        return
    rows = pl.concat([pl.DataFrame(pl.from_arrow(found)), _nobody(names, metrics)], how="diagonal_relaxed")
    features = rows.filter(pl.col("window").is_null()).select(*KEY, *(name for name in names if name in FEATURES))
    for window, own in metrics.items():
        of_window = rows.filter(pl.col("window") == window)
        values = of_window.select(*KEY, **{f"{name}_{window}": pl.col(name) for name in own})
        features = features.join(values, on=KEY, how="left")
    yield features.select(*KEY, *names).to_arrow()


def _nobody(names: Sequence[str], metrics: Windows) -> pl.DataFrame:
    """No row, every column."""
    values = [*(name for name in names if name in FEATURES), *(name for own in metrics.values() for name in own)]
    key = {"subscriber_id": pl.Int64, "month": pl.Date, "window": pl.String}
    return pl.DataFrame(schema={**key, **dict.fromkeys(values, pl.Float64)})
