"""A made-up month of canonical events, the same on every machine: DuckDB SQL over hashes, no random state.

It keeps the proportions of the real feed: about 184,000 subscribers, 1.19 million visits and 6 events a visit per
7.18 million events; 2 % background pushes, 3 % events before a login, some shared devices, log-outs and repeated times.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from visitgrain.tables.vocabulary import BUSINESSES, EVENT_TYPES

MONTH = "2025-03-01"
SLICE_DAYS = 4
EVENTS_PER_SUBSCRIBER = 7_180_000 / 184_000
# Weights of the event types that open no visit by themselves; the first event of a visit is a launch or a page view.
COMMON = ("page_view",) * 8 + ("click",) * 4 + ("product_view", "impression", "query", "search") * 2
RARE = tuple(name for name in EVENT_TYPES if name not in ("push_receive", "login", "launch", "logout"))
TYPES = COMMON * 3 + RARE * 2

_VISITS = """
create table visit as
select s + 1 as subscriber, k, hash(s, k) as h,
       hash(s) % 100 < 8 and hash(s, k, 'device') % 3 = 0 as second_device,
       (h >> 8) % 31 as day,
       case when (h >> 16) % 100 < 75 then 'app' when (h >> 16) % 100 < 90 then 'web' else 'wechat' end as channel,
       1 + (-ln(1 - ((h >> 24) % 1000) / 1000.0) * 5.3)::int as size,
       5 + (h >> 34) % 60 as pace
from range({subscribers}) _(s), range(1 + (hash(s, 'visits') % 12)::int) __(k)
"""
# Times of an eighth of all visits fall on whole seconds and repeat, so that ties must be broken by seq and event_id.
_EVENTS = """
copy (
  with raw as (
    select v.*, i, hash(v.h, i) as e,
           epoch_us(timestamp '{month} 00:00:00') - 28800000000
             + (day * 86400000000)::bigint + ((h >> 42) % 86400)::bigint * 1000000
             + (i * pace * 1000000)::bigint + case when h % 8 = 0 then 0 else (e % 5000000)::bigint end as t
    from visit v, range(size) _(i) where day between {first} and {last}
  ), typed as (
    select *, case when i > 0 and e % 48 = 0 then 'push_receive'
                   when i = 0 then if(e % 3 = 0, 'page_view', 'launch')
                   when i = 1 and h % 16 = 0 then 'login'
                   when i = size - 1 and h % 50 = 7 then 'logout'
                   else {types}[1 + ((e >> 8) % {number_of_types})::int] end as event_type
    from raw
  )
  select printf('%016x%04x', h, i) as event_id,
         make_timestamp(t + 28800000000)::date as event_date,
         case when h % 33 = 0 or (h % 16 = 0 and i < 1) then null
              when h % 200 = 3 and i > size / 2 then subscriber + 1
              else subscriber end::bigint as subscriber_id,
         'dev-' || if(second_device, 'b', 'a') || printf('%012x', hash(subscriber) >> 16) as device_id,
         channel,
         make_timestamp(t)::timestamptz as event_time,
         make_timestamp(t + (e % 90000000)::bigint)::timestamptz as received_time,
         if(e % 16 = 1, null, i)::bigint as seq,
         event_type,
         if(event_type in ('push_receive', 'launch', 'login'), null,
            printf('page/%s/%02d', {businesses}[1 + ((e >> 16) % 6)::int], (e >> 20) % 10)) as page,
         if(event_type in ('click', 'impression'), printf('slot-%03d', (e >> 24) % 200), null) as touchpoint_id,
         if((e >> 30) % 3 = 0, null, {businesses}[1 + ((e >> 16) % 6)::int]) as business,
         if(event_type in ('product_view', 'order_submit', 'order_paid'), printf('P%04d', (e >> 32) % 400), null)
           as product_id,
         if(event_type = 'form_step', printf('%012x', h >> 16), null) as process_id,
         if(event_type = 'form_step', 1 + i % 5, null)::int as step_no,
         if(event_type in ('order_paid', 'topup'), 1000 + (e >> 36) % 20000, null)::bigint as amount_fen,
         if(event_type in ('sign_in', 'coupon_redeem'), ((e >> 40) % 200)::bigint - 60, null) as points,
         ((e >> 28) % 40000)::bigint as duration_ms,
         if(h % 7 = 0 and i < 3, printf('C%03d', (h >> 50) % 150), null) as campaign_id,
         if(h % 7 = 0, ['push', 'sms', 'ad', 'qr', 'unheard_of'][1 + (h >> 51)::bigint % 5], null) as source_channel,
         if(channel = 'app', printf('8.%d.%d', (h >> 52) % 6, (h >> 55) % 4), null) as app_version,
         if(hash(subscriber, 'os') % 2 = 0, 'android', 'ios') as os,
         printf('%03d', hash(subscriber, 'area') % 21) as area_code,
         case when event_type = 'error' then map {{'kind': if(e % 3 = 0, 'crash', 'http')}}
              when event_type = 'form_step' and e % 9 = 0 then map {{'kind': 'unsubscribe'}}
              when event_type = 'search' then map {{'result_count': (e % 30)::varchar}} end as props,
         null::varchar as visit_key, null::map(varchar, varchar) as rescued, null::bigint as clock_skew_s,
         if(hash(subscriber, 'bot') % 500 = 0, 'bot', null) as exclusion,
         'bench' as source,
         'bench-1' as load_id
  from typed order by event_date, t
) to '{target}' (format parquet, partition_by (event_date), row_group_size 250000,
             overwrite_or_ignore, filename_pattern 'days-{first:02}-{{i}}')
"""
_SNAPSHOTS = """
copy (
  select s + 1 as subscriber_id, date '{month}' as month, (1950 + h % 58)::int as birth_year, null::int as age,
         if(h % 2 = 0, 'f', 'm') as gender, printf('%03d', h % 21) as area_code, date '2019-01-01' as activation_date,
         printf('plan-%02d', (h >> 8) % 30) as plan_id, (1900 + 1000 * ((h >> 8) % 30))::bigint as plan_fee_fen,
         if(h % 97 = 0, null, 1000 + (h >> 16) % 20000)::bigint as arpu_fen,
         if(h % 89 = 0, null, ((h >> 24) % 400000) / 10.0)::double as dou_mb, ((h >> 32) % 9000) / 10.0 as mou_min,
         ((h >> 40) % 60)::int as sms_count, ((h >> 44) % 9000)::bigint as balance_fen, 20480::double as data_quota_mb,
         ((h >> 24) % 400000) / 20.0 as data_used_mb, null::date as contract_end, null::date as broadband_expiry,
         ((h >> 50) % 4)::int as sticky_services, ((h >> 52) % 90)::int as social_circle_size,
         null::varchar as number_quality, ((h >> 54) % 5)::int as star_level,
         if((h >> 56) % 20 = 0, 'cancelled', 'active') as status, false as dnd, true as consent,
         'bench' as source, 'bench-1' as load_id
  from (select s, hash(s, 'snapshot') as h from range({subscribers}) _(s))
) to '{target}' (format parquet)
"""


def events_files(folder: Path, millions: float) -> Path:
    """Folder of about `millions` million events, one subfolder per local day; made on first use."""
    return _cached(folder / f"events-{millions:g}m", _make_events, millions)


def snapshot_file(folder: Path, millions: float) -> Path:
    """Folder with the month's `subscriber_month` of the same subscribers."""
    return _cached(folder / f"subscriber-month-{millions:g}m", _make_snapshots, millions)


def _cached(target: Path, make: Callable[[Path, int], None], millions: float) -> Path:
    if not target.exists():
        part = target.with_name(target.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        make(part, round(millions * 1_000_000 / EVENTS_PER_SUBSCRIBER))
        part.rename(target)
    return target


def _make_events(target: Path, subscribers: int) -> None:
    with _connection() as engine:
        engine.execute(_VISITS.format(subscribers=subscribers))
        lists = {"types": list(TYPES), "number_of_types": len(TYPES), "businesses": list(BUSINESSES)}
        for first in range(0, 31, SLICE_DAYS):  # memory stays small, files of each day are in order of time
            days = {"first": first, "last": first + SLICE_DAYS - 1}
            engine.execute(_EVENTS.format(month=MONTH, target=target, **days, **lists))


def _make_snapshots(target: Path, subscribers: int) -> None:
    with _connection() as engine:
        engine.execute(_SNAPSHOTS.format(month=MONTH, subscribers=subscribers, target=target / "part.parquet"))


def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"preserve_insertion_order": False, "memory_limit": "4GB", "threads": 2})
