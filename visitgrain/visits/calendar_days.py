"""Local calendar columns of visits: start day, weekday, hour, and the split of a visit over midnight."""

from __future__ import annotations

import numpy as np
import polars as pl

from visitgrain.tables.vocabulary import ACTIVE_TYPES, EVENT_TYPES
from visitgrain.visits.cutting import Cut

SECOND = 1_000_000
ACTIVE = [EVENT_TYPES.index(name) for name in ACTIVE_TYPES]


def local(t: str, zone: str) -> pl.Expr:
    """Microseconds since 1970 as local time of `zone`."""
    return pl.col(t).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)


def with_calendar(visits: pl.DataFrame, cut: Cut, *, zone: str) -> pl.DataFrame:
    """Adds visit_date, weekday, hour and `days`; turns start and end into instants."""
    visits = visits.with_columns(
        visit_date=local("start", zone).dt.date(),
        end_date=local("end", zone).dt.date(),
        weekday=local("start", zone).dt.weekday(),
        hour=local("start", zone).dt.hour(),
    )
    over = (visits["visit_date"] != visits["end_date"]).to_numpy()
    one_day = pl.struct(
        day="visit_date",
        events=pl.col("events").cast(pl.Int32),
        active_events=pl.col("active_events").cast(pl.Int32),
        seconds="duration_s",
    )
    visits = visits.with_columns(days=pl.concat_list(one_day))
    if over.any():
        split = _split(visits, cut, np.flatnonzero(over), zone)
        visits = visits.with_row_index("visit").join(split, on="visit", how="left", maintain_order="left")
        visits = visits.with_columns(days=pl.coalesce("split", "days")).drop("visit", "split")
    instant = pl.Datetime("us", "UTC")
    return visits.drop("end_date").with_columns(pl.col("start").cast(instant), pl.col("end").cast(instant))


def _midnight(day: str, zone: str) -> pl.Expr:
    """First instant of the local day, in microseconds; where the clock skips 00:00, the end of the day before."""
    at_zero = pl.col(day).cast(pl.Datetime("us"))
    direct = at_zero.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    before = at_zero.dt.offset_by("-1us").dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    return pl.coalesce(direct.dt.timestamp("us"), before.dt.timestamp("us") + 1)


def _split(visits: pl.DataFrame, cut: Cut, over: np.ndarray, zone: str) -> pl.DataFrame:
    """`visit` (row number) and `split`: one entry per local day from start to end, also for a day without an event."""
    stops = np.append(cut.starts[1:], cut.events.height)
    rows = np.concatenate([np.arange(cut.starts[k], stops[k]) for k in over])
    visit = np.repeat(over, (stops - cut.starts)[over])
    events = cut.events[rows].select("t", active=pl.col("type").is_in(ACTIVE)).with_columns(visit=pl.Series(visit))
    counted = events.group_by("visit", day=local("t", zone).dt.date()).agg(
        events=pl.len().cast(pl.Int32), active_events=pl.col("active").sum().cast(pl.Int32)
    )
    days = (
        visits[over]
        .select("start", "end", visit=pl.Series(over), day=pl.date_ranges("visit_date", "end_date"))
        .explode("day")
    )
    begun = pl.max_horizontal(_midnight("day", zone), "start")
    days = days.with_columns(
        since=(begun - pl.col("start")) // SECOND, whole=(pl.col("end") - pl.col("start")) // SECOND
    )
    until = pl.col("since").shift(-1).over("visit").fill_null(pl.col("whole"))
    days = days.with_columns(seconds=until - pl.col("since"))
    days = days.join(counted, on=["visit", "day"], how="left", maintain_order="left")
    entry = pl.struct("day", pl.col("events", "active_events").fill_null(0), "seconds")
    return days.group_by("visit", maintain_order=True).agg(split=entry)
