"""churn_features of a real chat app against the 50 features of the silence protocol, written once more in SQL."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest
from pyspark.sql import functions as F

from tests.churn.zulip_panel import COLUMNS, TEST, panel
from tests.conftest import ROOT
from visitgrain.catalogue.catalogue import load_catalogue
from visitgrain.churn.features import build_churn_features
from visitgrain.span import Span
from visitgrain.tables import TABLES

CUT_OFFS = (TEST[0], TEST[-1])
NAMES = {"stream": "section", "topic": "page"}  # how the protocol calls them -> how the product does
ACTIVITY = """
    with visits as (
        select *, coalesce(date_diff('second', lag(t) over (partition by user_id order by t), t) > 1800, true) as starts
        from (select *, event_time_utc at time zone 'UTC' as t from '{events}' where not is_bot)
    )
    select {number} as subscriber_id, t::date as day, 'app' as channel, count(*) as events,
        count(*) filter (where starts) as visits, count(*) filter (where hour(t) >= 23 or hour(t) < 6) as night_events,
        min(event_time_utc)::timestamptz as first_time, max(event_time_utc)::timestamptz as last_time,
        list(distinct (hash(topic_id) >> 1)::bigint) as pages,
        list(distinct (hash(stream_id) >> 1)::bigint) as sections,
        []::varchar[] as touchpoints
    from visits where {number} % 16 = 0 group by all
"""


NUMBER = "(hash(user_id) >> 1)::bigint"  # users have names in the log; one in sixteen is looked at


@pytest.fixture(scope="module")
def activity(spark, shared: Path):
    text = ACTIVITY.format(number=NUMBER, events=shared / "data/zulip_lean/events.parquet")
    with duckdb.connect(config={"threads": 2}) as connection:
        return spark.createDataFrame(connection.sql(text).to_arrow_table())


def numbered(table):
    """Rows of the protocol's panel in the order of the numbers of their users."""
    with duckdb.connect() as connection:
        connection.register("panel", table)
        return connection.sql(f"select *, {NUMBER} as number from panel where number % 16 = 0 order by number").df()


def features(spark, activity, start: date, end: date):
    empty = {
        name: spark.createDataFrame([], TABLES[name].ddl.replace("NOT NULL", ""))
        for name in ("subscriber_month", "consumption_segments", "behaviour_segments", "time_preferences")
    }
    catalogue = load_catalogue(ROOT / "conf", zone="UTC", visit_rules="default")
    return build_churn_features(activity_days=activity, **empty, spec=catalogue, span=Span(start, end))


def previous_month(cut_off: date) -> Span:
    return Span.month_of(date(cut_off.year - (cut_off.month == 1), (cut_off.month - 2) % 12 + 1, 1))


@pytest.mark.slow
@pytest.mark.parametrize("cut_off", CUT_OFFS)
def test_the_fifty_features_are_those_of_the_protocol(spark, activity, cut_off):
    month = previous_month(cut_off)
    found = features(spark, activity, month.start, month.end).where("active").toPandas().sort_values("subscriber_id")
    wanted = numbered(panel([cut_off]))
    assert found["subscriber_id"].tolist() == wanted["number"].tolist()
    for name in COLUMNS:
        prefix, _, rest = name.partition("_")
        own = found[f"{NAMES.get(prefix, prefix)}_{rest}" if rest else name].to_numpy(dtype=float)
        np.testing.assert_allclose(own, wanted[name].to_numpy(dtype=float), rtol=1e-12, err_msg=name)


def test_habits_on_any_channel(spark):
    """Cut-off 1 February: app on 2 January (1 visit), web on 12 January (3) and 22 January (2), all at midnight UTC. 6
    visits in the 30 days since the first; the last is 10 days ago, in which 6 / 30 x 10 = 2 were to be expected. What
    comes at the cut-off is not known yet."""
    days = [("2025-01-02", "app", 1), ("2025-01-12", "web", 3), ("2025-01-22", "web", 2), ("2025-02-01", "web", 9)]
    text = ", ".join(f"(date'{day}', '{channel}', {visits}L)" for day, channel, visits in days)
    activity = spark.sql(
        f"select 1L as subscriber_id, day, channel, 1L as events, visits, 0L as night_events, "
        "day::timestamp_ltz as first_time, day::timestamp_ltz as last_time, array(1L) as pages, array(1L) as sections, "
        f"array()::array<string> as touchpoints from values {text} as t(day, channel, visits)"
    )
    with_zone = activity.withColumns(
        {name: F.expr(f"{name} + interval 8 hours") for name in ("first_time", "last_time")}
    )
    [row] = features(spark, with_zone, date(2025, 1, 1), date(2025, 1, 31)).collect()
    assert (row.any_recency, row.any_rate, row.any_missed) == pytest.approx((10, 6 / 30, 2))
    assert row.recency == pytest.approx(30)  # in the app


def test_an_event_at_the_cut_off_stops_the_run(spark, activity):
    late = "if(day = date'2025-01-31', timestamp'2025-02-01 00:00:00+00:00', last_time)"
    wrong = activity.selectExpr("* except (last_time)", f"{late} last_time")
    with pytest.raises(Exception, match="not before the cut-off"):
        features(spark, wrong, date(2025, 1, 1), date(2025, 1, 31)).collect()


def test_later_days_change_nothing(spark, activity):
    month = Span.month_of(date(2025, 1, 1))
    known = activity.where("day < date'2025-02-01'")
    moved = activity.where("day >= date'2025-02-01'").selectExpr("* except (events)", "events * 7 as events")
    rows = [features(spark, frame, month.start, month.end) for frame in (known, known.unionByName(moved))]
    first, second = (sorted(map(str, frame.collect())) for frame in rows)
    assert first == second
