"""Windows as rows, for joins: their bounds now and before, how far history reaches, and up to when data were there."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, Window, functions as F

from visitgrain.metrics.date_sets import origin_of
from visitgrain.metrics.inner import ORIGIN, atom
from visitgrain.metrics.windows import WindowEnd

KEY = ("window", "window_end")
SLICE = ("slice", "slice_value")
CELL = (*KEY, *SLICE)  # of a population
SNAPSHOT_DAYS = 92  # an older snapshot says nothing about today


def bounds(anchor: DataFrame, windows: Sequence[WindowEnd], most_back: int) -> DataFrame:
    """One row per window: its key, start, length, the same `k` windows ago, and the origin of its sets of dates."""
    rows = []
    for window in windows:
        row: dict[str, object] = {"window": window.name}
        for back in range(most_back + 1):
            days = window.bounds(back)
            row |= {atom("window_start", back): days.start, atom("window_end", back): days.end}
            row[atom("window_days", back)] = (days.end - days.start).days + 1
        rows.append(row)
    return _local(anchor, rows).selectExpr("*", f"{origin_of('unix_date(window_end)')} {ORIGIN}")


def ranges(anchor: DataFrame, windows: Sequence[WindowEnd], backs: Sequence[int]) -> DataFrame:
    """One row per window and `back`: its key and the range of days, `first` to `last`."""
    rows: list[dict[str, object]] = []
    for window in windows:
        for back in backs:
            days = window.bounds(back)
            row = {"window": window.name, "window_end": window.end, "back": back}
            rows.append(row | {"first": days.start, "last": days.end})
    return _local(anchor, rows)


def covered(measured_days: DataFrame, windows: Sequence[WindowEnd]) -> DataFrame:
    """One row per window: `covered_from`, the first day since which every day up to the end was measured (null: not
    even the last), and `complete_through`, up to when the data of the window's days were there."""
    ends = ranges(measured_days, windows, (0,)).select(*KEY, "first")
    joined = measured_days.join(F.broadcast(ends), F.col("day") <= F.col("window_end"), how="inner")
    number = F.row_number().over(Window.partitionBy(*KEY).orderBy(F.desc("day"))).alias("_number")
    found = joined.select(*KEY, "day", "first", "complete_through", number)
    gapless = F.expr("min(if(date_sub(window_end, _number - 1) = day, day, null)) covered_from")
    through = F.expr("max(if(day >= first, complete_through, null)) complete_through")
    return found.groupBy(*KEY).agg(gapless, through)


def snapshot_months(months: DataFrame, windows: Sequence[WindowEnd], backs: Sequence[int]) -> DataFrame:
    """One row per window and `back`: the latest month with a snapshot that had ended by the end of the window."""
    there = months.select("month").distinct()
    ends = ranges(months, windows, backs)
    fits = F.expr(f"last_day(month) <= last and last_day(month) > date_sub(last, {SNAPSHOT_DAYS})")
    return there.join(F.broadcast(ends), fits, how="inner").groupBy(*KEY, "back").agg(F.max("month").alias("month"))


def reaches(first_needed: str) -> str:
    """Is every day from `first_needed` on measured?"""
    return f"coalesce(covered_from <= {first_needed}, false)"


def _local(anchor: DataFrame, rows: list[dict[str, object]]) -> DataFrame:
    """A handful of rows of the driver, in the plan itself: no Spark job makes them."""
    table = pa.Table.from_pylist(rows)
    whole = [pa.field(f.name, pa.int32() if pa.types.is_integer(f.type) else f.type) for f in table.schema]
    return anchor.sparkSession.createDataFrame(table.cast(pa.schema(whole)))
