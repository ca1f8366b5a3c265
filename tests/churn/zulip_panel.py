"""The panel of a chat app's silence (protocol P1) and its 50 features, in SQL: an oracle that shares no code with us.

One row per user with an event in the month before the cut-off T (first of a month, UTC); label 1 = no event in the
month from T on. Features use events before T only. Bots are dropped. See `COLUMNS` for the features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from tests.conftest import ROOT, SHARED

WINDOWS = (7, 14, 30, 60, 90, 180)  # days
WINDOWED = ("ev", "ses", "day", "stream", "topic")
COLUMNS = (
    *("recency", "tenure", "n_all"),  # days, days, events ever
    *(f"{name}_{days}" for name in WINDOWED for days in WINDOWS),  # counts; ses = visits started
    *(f"mday_{back}" for back in range(1, 7)),  # active days of the six calendar months before T
    *("gap_mean", "gap_med", "gap_max", "gap_last"),  # days between active days; missing with one active day
    *("wkend", "night"),  # shares of the last 90 days' events
    *("trend30_90", "trend7_30", "rec_over_gap", "nact6", "moy"),
)
TRAIN = [date(2019 + month // 12, month % 12 + 1, 1) for month in range(8, 8 + 65)]  # 2019-09 … 2025-01
TEST = [date(2025 + month // 12, month % 12 + 1, 1) for month in range(1, 1 + 12)]  # 2025-02 … 2026-01


def _within(text: str) -> str:
    """`text` for every window, {w} replaced, joined by commas."""
    return ", ".join(text.format(w=days) for days in WINDOWS)


EVENTS = """
    create temp table events as
    select *, coalesce(date_diff('second', lag(t) over same_user, t) > 1800, true) as starts from people
    window same_user as (partition by user_id order by t)
"""
BASE = """
    create temp table base as
    with months as (select distinct user_id, date_trunc('month', t)::date as m from events)
    select now.user_id, c.cut_off::timestamp as cut_off, (next.user_id is null)::int as label
    from cut_offs c join months now on now.m = c.cut_off - interval 1 month
    left join months next on next.user_id = now.user_id and next.m = c.cut_off
"""
RECENT = """
    create temp table recent as
    select b.user_id, b.cut_off, e.t, e.stream_id, e.topic_id, e.starts,
        date_diff('second', e.t, b.cut_off) / 86400.0 as age
    from base b join events e on e.user_id = b.user_id and e.t < b.cut_off and e.t >= b.cut_off - interval 180 day
"""
COUNTED = f"""
    create temp table counted as
    select user_id, cut_off,
        {_within("count(*) filter (where age <= {w}) as ev_{w}")},
        {_within("count(*) filter (where starts and age <= {w}) as ses_{w}")},
        avg((isodow(t) >= 6)::int) filter (where age <= 90) as wkend,
        avg((hour(t) < 6 or hour(t) >= 23)::int) filter (where age <= 90) as night
    from recent group by all
"""
# Of distinct things within a window: those whose latest event is within it.
DISTINCT = """
    create temp table distinct_{name} as
    with latest as (select user_id, cut_off, {thing} as thing, min(age) as age from recent group by all)
    select user_id, cut_off, {counts} from latest group by all
"""
LIFE = """
    create temp table life as
    with days as (
        select user_id, t::date as day, min(t) as first, max(t) as last, count(*) as n from events group by all
    ),
    gaps as (
        select *, date_diff('day', lag(day) over (partition by user_id order by day), day) as gap from days
    )
    select b.user_id, b.cut_off,
        date_diff('second', max(g.last), b.cut_off) / 86400.0 as recency,
        date_diff('second', min(g.first), b.cut_off) / 86400.0 as tenure,
        sum(g.n) as n_all,
        avg(g.gap) as gap_mean, median(g.gap) as gap_med, max(g.gap) as gap_max, arg_max(g.gap, g.day) as gap_last,
        {mdays}
    from base b join gaps g on g.user_id = b.user_id and g.day < b.cut_off
    group by b.user_id, b.cut_off
"""
MDAY = """count(*) filter (where g.day >= b.cut_off - interval {back} month
        and g.day < b.cut_off - interval {back} month + interval 1 month) as mday_{back}"""
JOINED = """
    select dense_rank() over (order by user_id) as subscriber, user_id, cut_off::date as cut_off, label, {columns}
    from (
        select *,
            ev_30 / (ev_90 / 3 + 1) as trend30_90,
            ev_7 / (ev_30 * 7 / 30 + 1) as trend7_30,
            recency / (coalesce(gap_mean, tenure) + 1) as rec_over_gap,
            (mday_1 > 0)::int + (mday_2 > 0)::int + (mday_3 > 0)::int
                + (mday_4 > 0)::int + (mday_5 > 0)::int + (mday_6 > 0)::int as nact6,
            month(cut_off) as moy
        from base join counted using (user_id, cut_off) join life using (user_id, cut_off)
            join distinct_day using (user_id, cut_off) join distinct_stream using (user_id, cut_off)
            join distinct_topic using (user_id, cut_off)
    ) order by cut_off, user_id
"""


def plain_visits(shared: Path = SHARED) -> int:
    """Visits when a gap of more than 1,800 s begins a new one."""
    with _connected(shared) as connection:
        return connection.sql("select count(*) filter (where starts) from events").fetchall()[0][0]


def panel(cut_offs: Iterable[date], shared: Path = SHARED) -> pa.Table:
    """`subscriber` (rank of `user_id` in the table), `user_id`, `cut_off`, `label`, then `COLUMNS` (float64).

    By cut-off, then user. Kept under build/ until this file or the cut-offs change.
    """
    dates = sorted(cut_offs)
    key = hashlib.sha256(Path(__file__).read_bytes() + repr(dates).encode()).hexdigest()[:16]
    kept = ROOT / "build" / f"zulip_panel_{key}.parquet"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        pl.from_arrow(_computed(dates, shared)).write_parquet(kept)
    return pl.read_parquet(kept).to_arrow()


def _connected(shared: Path) -> duckdb.DuckDBPyConnection:
    events = pl.scan_parquet(shared / "data/zulip_lean/events.parquet").filter(~pl.col("is_bot"))
    naive = pl.col("event_time_utc").dt.replace_time_zone(None)  # DuckDB needs an extension for time zones
    connection = duckdb.connect(config={"threads": 2})
    connection.register("people", events.select("user_id", "stream_id", "topic_id", t=naive).collect().to_arrow())
    connection.execute(EVENTS)
    return connection


def _computed(dates: list[date], shared: Path) -> pa.Table:
    with _connected(shared) as connection:
        connection.register("cut_offs", pa.table({"cut_off": pa.array(dates, pa.date32())}))
        for statement in (BASE, RECENT, COUNTED):
            connection.execute(statement)
        for name, thing in {"day": "t::date", "stream": "stream_id", "topic": "topic_id"}.items():
            counts = _within(f"count(*) filter (where age <= {{w}}) as {name}_{{w}}")
            connection.execute(DISTINCT.format(name=name, thing=thing, counts=counts))
        mdays = ", ".join(MDAY.format(back=back) for back in range(1, 7))
        connection.execute(LIFE.format(mdays=mdays))
        columns = ", ".join(f"{name}::double as {name}" for name in COLUMNS)
        return connection.sql(JOINED.format(columns=columns)).to_arrow_table()
