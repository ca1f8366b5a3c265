"""events -> visits in DuckDB: the same rules and columns as the table `visits`, written as Parquet.

Tuning: streams and visits are 64-bit keys; three window passes, the later two ordered by an integer; enumerations and
text with few values are DuckDB ENUMs; the pages of a visit are one ordered list that gives four columns; only visits
over midnight are split by day. Not checked are the 24 h cap and the events per visit: no visit of the data gets there.
DuckDB's time zones are an extension that its package lacks; the bench's zone has no summer time: +8 h is exact.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.score_cards import score_versions
from visitgrain.tables.visiting import VISITS
from visitgrain.tables.vocabulary import ACTION_TYPES, ACTIVE_TYPES, BUSINESSES, CHANNELS, ENTRY_SOURCES, EVENT_TYPES

NAMES = (
    "page",
    "campaign_id",
    "source_channel",
    "os",
    "app_version",
    "area_code",
)  # few distinct values: ENUMs as well
LOCAL_US = 28_800_000_000  # Asia/Shanghai
DAY_US = 86_400_000_000


def connect(threads: int, memory: str) -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(
        config={
            "threads": threads,
            "memory_limit": memory,
            "preserve_insertion_order": False,
            "temp_directory": "build",
        }
    )
    for name, values in (("event_type", EVENT_TYPES), ("channel", CHANNELS), ("business", BUSINESSES)):
        engine.execute(f"create type {name}_name as enum {values}")
    return engine


def build_visits(engine: duckdb.DuckDBPyConnection, events: str, target: Path, catalogue: Catalogue) -> None:
    """Reads the Parquet files `events` (a glob), writes the folder `target`."""
    for name in NAMES:
        values = f"select distinct {name} from read_parquet('{events}') where {name} is not null"
        engine.execute(f"drop type if exists {name}_name; create type {name}_name as enum ({values})")
    rules = catalogue.visit_rules
    timeout = " ".join(f"when '{name}' then {int(m * 60_000_000)}" for name, m in rules.timeout_minutes.items())
    names = ", ".join(f"{name}::{name}_name as {name}" for name in NAMES)
    engine.execute(
        _CUT.format(
            events=events, names=names, timeout=timeout, background=_listed(rules.background), beat=rules.heartbeat_s
        )
    )
    engine.execute(_measured(catalogue))
    engine.execute(_SPLIT.format(active=_listed(ACTIVE_TYPES), local=LOCAL_US, day=DAY_US))
    engine.execute(
        f"copy ({_history(catalogue)}) to '{target}' (format parquet, per_thread_output, overwrite_or_ignore)"
    )
    engine.execute("drop table event; drop table visit; drop table split")


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


# Order of events: (t, seq, event_id), seq null first. A background event belongs to a visit when foreground events of
# that visit stand on both sides of it. `beat` marks the first event of each heartbeat.
_CUT = """
create temp table event as
with coded as (
  select hash(device_id, channel) as stream, device_id, channel::channel_name as channel, epoch_us(event_time) as t,
         seq, event_id, event_type::event_type_name as type, business::business_name as business,
         case props['kind'] when 'crash' then 1 when 'unsubscribe' then 2 end::utinyint as kind,
         subscriber_id, amount_fen, points, {names},
         event_type not in ({background}) as foreground
  from read_parquet('{events}', hive_partitioning = false)
  where exclusion is null
), ordered as (
  select *, row_number() over stream as n,
         lag(if(foreground, if(type = 'logout', 0, t), null) ignore nulls) over stream as former
  from coded
  window stream as (partition by stream order by t, seq nulls first, event_id)
), run as (
  select * exclude former, foreground and (former is null or t - former > case channel {timeout} end) as run_opened
  from ordered
), opening as (
  select *, lag(if(foreground, subscriber_id, null) ignore nulls) over stream as known,
         lag(if(foreground and subscriber_id is not null, n, null) ignore nulls) over stream as known_n,
         max(if(run_opened, n, null)) over stream as run_n
  from run
  window stream as (partition by stream order by n)
), opened as (
  select * exclude (known, known_n, run_n, run_opened),
         coalesce(run_opened or (foreground and subscriber_id <> known and known_n >= run_n), false) as opened
  from opening
), numbered as (
  select *, sum(opened::int) over stream as visit,
         coalesce(t // ({beat} * 1000000) <> lag(t) over stream // ({beat} * 1000000), true) as beat,
         not foreground and coalesce(lead(if(foreground, opened, null) ignore nulls) over stream, true) as outside
  from opened
  window stream as (partition by stream order by n)
)
select * exclude (seq, outside) from numbered where visit > 0 and not outside
"""


def _measured(catalogue: Catalogue) -> str:
    """One hash aggregation, then what follows from its columns."""
    rules = catalogue.visit_rules
    entries = _listed(ENTRY_SOURCES)
    types = "".join(f"count(*) filter (type = '{name}')::int as {name}, " for name in EVENT_TYPES)
    businesses = "".join(f"count(*) filter (business = '{name}')::int as {name}_events, " for name in BUSINESSES)
    firsts = "".join(
        f"arg_min({name}, n) filter ({name} is not null) as {name}, "
        for name in ("campaign_id", "os", "app_version", "area_code")
    )
    return f"""
create temp table visit as
with grouped as (
  select stream, visit, any_value(device_id) as device_id, any_value(channel) as channel,
         any_value(event_id) filter (opened) as first_event_id, any_value(type) filter (opened) as first_type,
         any_value(source_channel) filter (opened) as said,
         arg_max(subscriber_id, n) filter (subscriber_id is not null) as subscriber_id,
         arg_min(event_id, n) filter (subscriber_id is not null) as login_event_id,
         make_timestamp(min(t) filter (subscriber_id is not null)) as login_time,
         count(*) filter (subscriber_id is null) as unnamed,
         min(t) filter (foreground) as t0, max(t) filter (foreground) as t1,
         arg_max(type, n) filter (foreground) as last_event_type,
         count(*)::int as events, count(*) filter (type in ({_listed(ACTIVE_TYPES)}))::int as active_events,
         count(*) filter (type in ({_listed(ACTION_TYPES)}))::int as actions,
         {types} {businesses} {firsts}
         count(*) filter (type = 'error' and kind = 1)::int as crash,
         count(*) filter (type = 'form_step' and kind = 2)::int as unsubscribe_step,
         count(*) filter (beat or opened) as beats,
         list(page order by n) filter (page is not null) as path,
         coalesce(sum(amount_fen) filter (type in ('order_paid', 'topup')), 0)::bigint as paid_fen,
         coalesce(sum(points) filter (points > 0), 0)::bigint as points_earned,
         coalesce(-sum(points) filter (points < 0), 0)::bigint as points_spent,
         min(n) filter (type = 'product_view') as product_n, min(n) filter (type = 'topup') as topup_n,
         min({{'n': n, 't': t}}) filter (type in ('product_view', 'form_step')) as begun,
         list(n) filter (type = 'form_step') as steps,
         list({{'n': n, 't': t}}) filter (type = 'order_submit') as submits,
         list(n) filter (type = 'order_paid') as paid
  from event group by stream, visit
), first_stages as (
  select *, list_min([x for x in steps if x > product_n]) as step_n,
         list_min([x for x in submits if x.n > begun.n]) as submit
  from grouped
), second_stages as (
  select *, list_min([x.n for x in submits if x.n > step_n]) as submit_n from first_stages
), third_stages as (
  select *, list_min([x for x in paid if x > submit_n]) as paid_n from second_stages
)
select * exclude (said, first_type, unnamed, beats, path, product_n, topup_n, begun, steps, submits, paid,
                  step_n, submit, submit_n, paid_n),
       make_timestamp(t0) as start, make_timestamp(t1) as end, (t1 - t0) // 1000000 as duration_s,
       {rules.heartbeat_s} * (beats - 1) + {rules.minimum_visit_s} as engaged_s,
       make_timestamp(t0 + {LOCAL_US})::date as visit_date, isodow(make_timestamp(t0 + {LOCAL_US}))::int as weekday,
       hour(make_timestamp(t0 + {LOCAL_US}))::int as hour,
       page_view + product_view as page_views, coalesce(list_unique(path), 0)::int as pages,
       coalesce(len(list_filter(path, lambda page, i: i = 1 or page <> path[i - 1])), 0)::int as depth,
       path[1] as entry_page, path[-1] as exit_page,
       case when said in ({entries}) then said::varchar when said is not null then 'other'
            when first_type = 'push_open' then 'push' when first_type = 'share_visit' then 'share'
            else 'direct' end as entry_source,
       page_view + product_view <= 1 and actions = page_view as bounced,
       ((product_n is not null)::int + (step_n is not null)::int + (submit_n is not null)::int
         + (paid_n is not null)::int) as funnel_stage,
       (submit.t - begun.t) // 1000000 as submit_seconds,
       coalesce(list_max(paid) > topup_n, false) as order_paid_after_topup,
       case when subscriber_id is null then null when unnamed = 0 then 'every_event' else 'same_visit' end
         as stitch_method
from third_stages
where make_timestamp(t0 + {LOCAL_US})::date <= date '2025-03-31'
"""


# Visits over midnight: events per local day, days without an event included; time of the visit that falls on each day.
_SPLIT = """
create temp table split as
with over_midnight as (
  select stream, visit, t0, t1, (t0 + {local}) // {day} as first_day, (t1 + {local}) // {day} as last_day
  from visit where (t0 + {local}) // {day} <> (t1 + {local}) // {day}
), counted as (
  select e.stream, e.visit, (e.t + {local}) // {day} as day, count(*)::int as events,
         count(*) filter (type in ({active}))::int as active_events
  from event e join over_midnight o on e.stream = o.stream and e.visit = o.visit
  group by all
), visit_day as (
  select *, unnest(range(first_day, last_day + 1)) as day from over_midnight
)
select d.stream, d.visit, list({{'day': date '1970-01-01' + d.day::int, 'events': coalesce(events, 0),
         'active_events': coalesce(active_events, 0),
         'seconds': (least((d.day + 1) * {day} - {local}, t1) - t0) // 1000000
                    - (greatest(d.day * {day} - {local}, t0) - t0) // 1000000}} order by d.day) as days
from visit_day d left join counted c on c.stream = d.stream and c.visit = d.visit and c.day = d.day
group by d.stream, d.visit
"""


def _history(catalogue: Catalogue) -> str:
    """Recency and frequency within the subject, scores, and the columns in the order of the table."""
    scores = ", ".join(
        f"'{card.purpose}': ({' + '.join(f'{name} * {round(weight * 1000)}' for name, weight in card.weights.items())})"
        " / 1000.0::double"
        for card in catalogue.score_cards.values()
    )
    one_day = "{'day': visit_date, 'events': events, 'active_events': active_events, 'seconds': duration_s}"
    computed = {
        "visit_id": "(hash(device_id, channel, t0, first_event_id) >> 1)::bigint",
        "subject_type": "if(subscriber_id is null, 'device', 'subscriber')",
        "stitch_rule": f"if(subscriber_id is null, null, 'time_sliced/{catalogue.visit_rules.version}')",
        "days": f"coalesce(days, [{one_day}])",
        "is_first_visit": "former is null",
        "gap_days": f"(t0 - former) / {DAY_US}.0::double",
        "score": f"map {{{scores}}}",
        "score_versions": f"'{score_versions(catalogue.score_cards)}'",
    }
    columns = ", ".join(f'{computed.get(name, chr(34) + name + chr(34))} as "{name}"' for name in VISITS.column_names)
    return f"""
with subjects as (
  select *, coalesce(subscriber_id, hash(device_id)::hugeint - 18446744073709551616) as subject from visit
), with_history as (
  select *, lag(t0) over (partition by subject order by t0, first_event_id) as former,
         (count(*) over (partition by subject order by t0 range between {30 * DAY_US} preceding and current row))::int
           as visits_30d
  from subjects
)
select {columns} from with_history left join split using (stream, visit)
"""
