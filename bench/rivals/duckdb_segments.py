"""visits -> month features, cut points and both segments in DuckDB: the same columns as the tables of the same names.

Tuning: one hash aggregation over the visits, one over their days; a fit counts rounded values instead of sorting them.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from bench.rivals.duckdb_visits import DAY_US, LOCAL_US
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.segment_models import Axis, SegmentModel
from visitgrain.segments.subscriber_parts import SUMS
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS, MONTH_FEATURES
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, IN_SERVICE

TABLES = (MONTH_FEATURES, CONSUMPTION_SEGMENTS, BEHAVIOUR_SEGMENTS)
_SNAPSHOT_COLUMNS = ("age", "arpu_fen", "dou_mb", "plan_id", "plan_fee_fen")


def build_segments(
    engine: duckdb.DuckDBPyConnection, visits: str, days: str, snapshots: str, target: Path, catalogue: Catalogue
) -> None:
    """Reads Parquet files (globs), writes a file per table below `target`. There are no orders and no month before."""
    engine.execute(_features(visits, days, snapshots, tuple(catalogue.score_cards)))
    models = catalogue.segment_models
    engine.execute(_cut_points([(model, axis) for model in models.values() for axis in model.axes if axis.fit]))
    for table in TABLES[1:]:
        engine.execute(_assigned(table.name, models[table.name.removesuffix("_segments")]))
    for table in TABLES:
        columns = ", ".join(table.column_names)
        file = target / table.name / "part.parquet"
        engine.execute(f"copy (select {columns} from {table.name}) to '{file}' (format parquet)")
        engine.execute(f"drop table {table.name}")
    engine.execute("drop table cut_points")


def _features(visits: str, days: str, snapshots: str, purposes: tuple[str, ...]) -> str:
    end = f"epoch_us(timestamp '2025-04-01') - {LOCAL_US}"
    sums = "".join(f"sum({source})::bigint as {name}, " for name, source in SUMS.items())
    channels = "".join(f"count(*) filter (channel = '{name}') as channel_{name}, " for name in CHANNELS)
    businesses = "".join(f"sum({name}_events)::int as business_{name}, " for name in BUSINESSES)
    scores = "".join(
        f"sum(round(score['{name}'] * 1000)::bigint) / 1000.0::double as score_{name}, " for name in purposes
    )
    return f"""
create temp table month_features as
with visited as (
  select subscriber_id, count(*) as visits, {sums} {channels} {businesses} {scores}
         count(gap_days) as gaps, coalesce(sum(round(gap_days * {DAY_US}::double)::bigint), 0)::bigint as gap_us,
         max(epoch_us(start)) as last_us, sum(visits_30d)::bigint as running
  from read_parquet('{visits}', hive_partitioning = false) where subscriber_id is not null group by subscriber_id
), active as (
  select subscriber_id, bit_count(bit_or(1::bigint << (day(day) - 1)))::int as active_days
  from read_parquet('{days}', hive_partitioning = false)
  where subscriber_id is not null and active_events > 0 and day between date '2025-03-01' and date '2025-03-31'
  group by subscriber_id
), snapshot as (
  select subscriber_id, coalesce(2025 - birth_year, age) as age, arpu_fen, dou_mb, plan_id, plan_fee_fen,
         status in {IN_SERVICE} as in_service
  from read_parquet('{snapshots}', hive_partitioning = false)
)
select subscriber_id, date '2025-03-01' as month, coalesce(visits, 0)::int as visits,
       coalesce(active_days, 0) as active_days, ({end} - last_us) / {DAY_US}.0::double as recency_days,
       gap_us / {DAY_US}.0::double / nullif(gaps, 0) as mean_gap_days,
       (gap_us + {end} - last_us) / {DAY_US}.0::double / (gaps + 1) as mean_interval_days,
       running::double / visits as mean_visits_30d,
       map {{{", ".join(f"'{name}': coalesce(score_{name}, 0)" for name in purposes)}}} as score,
       score_general / visits as score_per_visit, {", ".join(f"coalesce({name}, 0) as {name}" for name in SUMS)},
       map {{{", ".join(f"'{name}': coalesce(business_{name}, 0)" for name in BUSINESSES)}}} as business_events,
       map {{{", ".join(f"'{name}': coalesce(channel_{name}, 0)::int" for name in CHANNELS)}}} as channel_visits,
       {", ".join(_SNAPSHOT_COLUMNS)}, coalesce(in_service, false) as in_service,
       in_service is not null as has_snapshot, false as plan_downgraded, []::varchar[] as ordered_businesses
from visited full join snapshot using (subscriber_id) left join active using (subscriber_id)
"""


def _measure(axis: Axis) -> str:
    return f"score['{axis.purpose}']" if axis.purpose else f"{axis.measure}::double"


def _base(model: SegmentModel) -> str:
    return "in_service" if model.model == "consumption" else "visits > 0"


def _cut_points(axes: list[tuple[SegmentModel, Axis]]) -> str:
    """Values to three significant digits, counted; low and high are the first with a third and two thirds below."""
    counts = " union all ".join(
        f"select '{axis.axis}' as axis, {_measure(axis)} as value, count(*) as n "
        f"from month_features where {_base(model)} group by value"
        for model, axis in axes
    )
    return f"""
create temp table cut_points as
with digits as (
  select axis, n, value, floor(log10(abs(nullif(value, 0)))) - 2 as exponent from ({counts}) where value is not null
), rounded as (
  select axis, sum(n) as n, case when exponent is null then value
              when exponent < 0 then round(value * pow(10.0, -exponent)) / pow(10.0, -exponent)
              else round(value / pow(10.0, exponent)) * pow(10.0, exponent) end as value
  from digits group by all
), placed as (
  select axis, value, sum(n) over (partition by axis) as total, coalesce(sum(n) over former, 0) as below
  from rounded
  window former as (partition by axis order by value rows between unbounded preceding and 1 preceding)
), lows as (
  select *, min(value) filter (3 * below >= total) over (partition by axis) as low from placed
)
select axis, min(low) as low, min(value) filter (value > low and 3 * below >= 2 * total) as high from lows group by axis
"""


def _assigned(table: str, model: SegmentModel) -> str:
    names = [axis.axis for axis in model.axes]
    levels = ", ".join(f"{_level(axis)} as {axis.axis}_level" for axis in model.axes)
    measures = ", ".join(f"{_measure(axis)} as {axis.axis}" for axis in model.axes)
    unknown = ", ".join(f"if({name} is null, '{name}', null)" for name in names)
    # A visitor without a snapshot has a row in the consumption base, with a reason.
    base, absence = _base(model), "null"
    if model.model == "consumption":
        base, absence = (
            f"{base} or (visits > 0 and not has_snapshot)",
            "if(visits > 0 and not has_snapshot, 'no snapshot', null)",
        )
    a, b, c = (f"{name}_level" for name in names)
    return f"""
create temp table {table} as
with measured as (
  select subscriber_id, month, score as scores, {measures}, {absence} as absence from month_features where {base}
), levelled as (
  select *, {levels} from measured
)
select * exclude absence, 9 * ({a} - 1) + 3 * ({b} - 1) + {c} as segment,
       coalesce(absence, 'unknown ' || nullif(concat_ws(', ', {unknown}), '')) as reason, '{model.version}' as version
from levelled
"""


def _level(axis: Axis) -> str:
    low, high = (
        f"{value}::double" if axis.fixed else f"(select {end} from cut_points where axis = '{axis.axis}')"
        for end, value in zip(("low", "high"), axis.fixed or (None, None), strict=True)
    )
    reached = f"(coalesce({axis.axis} >= {low}, false)::int + coalesce({axis.axis} >= {high}, false)::int)"
    return (
        f"if({axis.axis} is null, null, {f'1 + {reached}' if axis.direction == 'high_is_good' else f'3 - {reached}'})"
    )
