"""The simulated feed: the same for a seed however it is cut, and true to what conf/simulation.yaml plants."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from visitgrain.errors import UsageError
from visitgrain.simulation import simulate
from visitgrain.simulation.world import load_world
from visitgrain.tables.inputs import EVENTS, ORDERS, PRODUCTS, SUBSCRIBER_MONTH

START, END = date(2025, 3, 3), date(2025, 3, 30)  # four whole weeks from a Monday
ADDED_BY_INGEST = {"event_date", "order_date", "source", "load_id", "exclusion", "rescued", "clock_skew_s"}
TABLES = ("events", "subscriber_month", "orders", "products", "_truth/events", "_truth/hazards")


def busy_world():
    """The shipped world with so many users, bots and dirty rows that 1,500 subscribers and four weeks show them all."""
    world = load_world()
    population = world.population.model_copy(
        update={"e_channel_share": 0.9, "visits_per_month": 12.0, "bot_share": 0.006, "shared_device_share": 0.1}
    )
    return world.model_copy(update={"population": population})


class Feed:
    """A feed in a folder, read by DuckDB with Chinese local time."""

    def __init__(self, folder: Path, counts: dict[str, int] | None = None) -> None:
        self.folder, self.counts = folder, counts
        self.engine = duckdb.connect()
        self.engine.execute("set timezone = 'Asia/Shanghai'")
        for table in TABLES:
            view = table.replace("_truth/", "true_")
            files = (
                f"read_parquet('{folder}/{table}/**/*.parquet', hive_partitioning = {table in ('events', 'orders')})"
            )
            self.engine.execute(f"create view {view} as select * from {files}")

    def rows(self, query: str) -> list[tuple]:
        return self.engine.execute(query).fetchall()

    def value(self, query: str):
        return self.rows(query)[0][0]

    def everything(self) -> dict[str, list[str]]:
        """All rows of all tables, in an order of their own."""
        views = [table.replace("_truth/", "true_") for table in TABLES]
        return {view: [row[0] for row in self.rows(f"select v::varchar from {view} v order by 1")] for view in views}


@pytest.fixture(scope="module")
def small(spark, tmp_path_factory):
    """Simulates a few subscribers and ten days; `partitions` cuts the work."""

    def make(*, subscribers: int = 60, seed: int = 7, partitions: int = 2) -> Feed:
        settings = {"spark.sql.leafNodeDefaultParallelism": partitions, "spark.sql.shuffle.partitions": partitions}
        before = {name: spark.conf.get(name, None) for name in settings}
        for name, value in settings.items():
            spark.conf.set(name, str(value))
        folder = tmp_path_factory.mktemp("feed") / "out"
        span = {"start": START, "end": date(2025, 3, 12)}
        try:
            simulate(spark, subscribers=subscribers, **span, seed=seed, out=folder, world=busy_world())
        finally:
            for name, value in before.items():
                spark.conf.unset(name) if value is None else spark.conf.set(name, value)
        return Feed(folder)

    return make


@pytest.fixture(scope="module")
def one_partition(small):
    return small(partitions=1)


@pytest.fixture(scope="module")
def feed(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("busy") / "out"
    counts = simulate(spark, subscribers=1500, start=START, end=END, seed=11, out=folder, world=busy_world())
    return Feed(folder, counts)


@pytest.mark.parametrize("partitions", [2, 7])
def test_same_rows_whatever_the_partitioning(small, one_partition, partitions):
    expected = one_partition.everything()
    assert all(expected.values())
    assert small(partitions=partitions).everything() == expected


def test_another_seed_is_another_world(small, one_partition):
    ids = "select distinct subscriber_id from subscriber_month"
    assert not set(small(seed=8).rows(ids)) & set(one_partition.rows(ids))


def test_first_subscribers_of_a_larger_world_are_those_of_a_smaller_one(small, one_partition):
    larger = small(subscribers=90).everything()
    for table, rows in one_partition.everything().items():
        assert set(rows) <= set(larger[table]), table


def test_refuses_a_folder_that_holds_something(spark, one_partition):
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        simulate(spark, subscribers=1, start=START, end=END, seed=1, out=one_partition.folder)


@pytest.mark.parametrize("table", [EVENTS, ORDERS, PRODUCTS, SUBSCRIBER_MONTH], ids=lambda table: table.name)
def test_files_have_the_canonical_columns_and_types(spark, feed, table):
    file = next((feed.folder / table.name).rglob("*.parquet"))
    declared = spark.createDataFrame([], table.ddl).schema
    expected = [(f.name, f.dataType) for f in declared if f.name not in ADDED_BY_INGEST]
    assert [(f.name, f.dataType) for f in spark.read.parquet(str(file)).schema] == expected


def test_counts_are_those_of_the_files(feed):
    assert feed.counts == {
        table: feed.value(f"select count(*) from {table.replace('_truth/', 'true_')}") for table in TABLES
    }


def test_rows_lie_in_the_folder_of_the_day_they_are_received(feed):
    # A duplicate is delivered again on the same day or the next; nothing else strays.
    strays = """
        select distinct day - received_time::date from events
        where received_time is not null and day <> received_time::date
    """
    assert feed.rows(strays) == [(1,)]
    assert feed.rows("select min(day), max(day), count(distinct day) from events") == [(START, END, 28)]


def test_wednesday_and_mornings_are_strongest(feed):
    launched = "from events where event_type = 'launch' group by 1 order by count(*) desc limit 1"
    assert feed.value(f"select isodow(event_time) {launched}") == 3
    assert feed.value(f"select hour(event_time) {launched}") in (8, 9, 10, 11)


def test_dirty_rows_come_at_the_stated_rates(feed):
    """Within four standard errors of a share p of n: 4 sqrt(p (1 - p) / n)."""
    dirt, n = load_world().dirt, feed.value("select count(*) from events")
    stated = {
        "duplicate": dirt.duplicate,
        "conflicting": dirt.conflicting,
        "malformed": dirt.malformed,
        "late": dirt.late,
        "too_late": dirt.too_late,
    }
    labels = dict(feed.rows("select split_part(label, ':', 1), count(*) from true_events group by 1"))
    # What happened in the last ten days may still be on its way: less than half of the late rows are missing.
    for label, share in stated.items():
        sigma = (share * (1 - share) / n) ** 0.5
        low = share / 2 if "late" in label else share
        assert low - 4 * sigma <= labels[label] / n <= share + 4 * sigma, label


def test_each_label_tells_what_is_wrong_with_its_row(feed):
    """The labels find the dirty rows, all of them, and no others."""
    joined = "events e join true_events t using (event_id, day, received_time)"
    twice = "select event_id from events group by 1 having count(*) > 1"
    labelled = "select event_id from true_events where label in ('duplicate', 'conflicting')"
    # A copy whose first delivery lies in the span is found by its id; a good row delivered after the end is not there.
    assert set(feed.rows(twice)) <= set(feed.rows(labelled))
    delay = "e.received_time - e.event_time"
    late = f"select min({delay}), max({delay}) from {joined} where t.label = '%s'"
    (shortest, longest), (too_short, _) = feed.rows(late % "late")[0], feed.rows(late % "too_late")[0]
    assert shortest.days >= 1
    assert longest.days < 3 <= too_short.days
    broken = """
        event_time is null or year(event_time) not between 2000 and 2030 or received_time is null
        or device_id is null or channel is null or channel = 'ap' or event_type = 'unknown' or business = 'brodband'
    """
    malformed = "select event_id from true_events where label like 'malformed:%'"
    assert set(feed.rows(f"select event_id from events where {broken}")) == set(feed.rows(malformed))


def test_conflicting_copies_differ_and_lose(feed):
    pairs = feed.rows("""
        select a.duration_ms, b.duration_ms, b.received_time > a.received_time
        from true_events t join events b using (event_id) join events a using (event_id)
        where t.label = 'conflicting' and b.received_time = t.received_time and a.received_time < b.received_time
    """)
    assert pairs
    assert all(loser == (winner or 0) + 1 and later for winner, loser, later in pairs)


def test_paid_orders_agree_with_their_events(feed):
    seen = """
        select distinct 'e' || process_id, event_time, amount_fen, product_id from events
        where event_type = 'order_paid' and year(event_time) = 2025
    """
    told = "select order_id, order_time, amount_fen, product_id from orders where channel in ('app', 'web', 'wechat')"
    assert feed.rows(seen)
    assert set(feed.rows(seen)) <= set(feed.rows(told))
    offline = "select distinct channel from orders where channel not in ('app', 'web', 'wechat') order by 1"
    assert feed.rows(offline) == [("hotline",), ("outlet",), ("sms",)]


def test_the_second_form_step_is_the_weak_one(feed):
    steps = [
        feed.value(f"select count(distinct process_id) from events where {step}")
        for step in (
            "process_id in (select process_id from events where page = 'order_form') and event_type = 'product_view'",
            "step_no = 1 and page = 'order_form'",
            "step_no = 2 and page = 'order_form'",
            "step_no = 3 and page = 'order_form'",
            "event_type = 'order_submit'",
        )
    ]
    kept = [later / earlier for earlier, later in pairwise(steps[1:])]
    assert kept.index(min(kept)) == 0  # from step 1 to step 2
    assert kept[0] == pytest.approx(0.45, abs=0.08)


def test_world_has_bots_shared_devices_midnight_visits_and_people_without_a_name(feed):
    per_minute = """
        select max(n) from (select count(*) n from events where props['user_agent'] is %s null
        and event_time > '2025-01-01' group by device_id, date_trunc('minute', event_time))
    """
    assert feed.value(per_minute % "not") > 120 > feed.value(per_minute % "")
    shared = "select device_id from events group by 1 having count(distinct subscriber_id) > 1"
    assert len(feed.rows(shared)) > 5
    over_midnight = """
        select count(*) from (select event_time t, lag(event_time) over (partition by device_id order by event_time) b
        from events where event_time > '2025-01-01') where t::date > b::date and t - b < interval 5 minute
    """
    assert feed.value(over_midnight) > 0
    types = {row[0] for row in feed.rows("select distinct event_type from events")}
    assert {"login", "logout", "push_receive", "push_open", "share_visit", "topup", "coupon_redeem"} <= types
    unnamed = """
        select count(*), count(t.true_subscriber_id) from events e join true_events t using (event_id)
        where e.subscriber_id is null and t.is_anonymous and t.label = 'good'
    """
    anonymous, known = feed.rows(unnamed)[0]
    assert anonymous == known > 100


def test_the_silent_do_not_come_back(feed):
    after = """
        select count(*) from events e join true_hazards h using (subscriber_id)
        where h.silent_from is not null and e.event_time::date > h.silent_from + 1 and e.event_time < '2026-01-01'
    """
    assert feed.value("select count(*) from true_hazards where is_silent") > 10
    assert feed.value(after) == 0
