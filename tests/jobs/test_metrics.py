"""Measures and metrics through the shipped pipelines, over a small simulated lake, against other ways to count."""

from __future__ import annotations

from datetime import date

import pytest

from jobs import compute_subscriber_metrics, evaluate_campaigns, measure_days, measure_slice_days, roll_states
from pipelines import daily_metrics, monthly_metrics
from visitgrain.metrics.explaining import explain_metric
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.windows import WindowEnd
from visitgrain.runtime.attempt import inputs_of
from visitgrain.runtime.runner import run_job, run_pipeline
from visitgrain.span import Span
from visitgrain.tables import TABLES

FEBRUARY, MARCH = Span.month_of(date(2026, 2, 1)), Span.month_of(date(2026, 3, 1))
DAY = Span(date(2026, 3, 29), date(2026, 3, 29))  # a Sunday


@pytest.fixture(scope="module")
def lake(small_world):
    """February measured, metrics of March, and of one day of it."""
    for job in (evaluate_campaigns.JOB, measure_days.JOB, measure_slice_days.JOB, roll_states.JOB):
        run_job(job, FEBRUARY, small_world)
    run_pipeline(monthly_metrics.PIPELINE, MARCH, small_world)
    run_pipeline(daily_metrics.PIPELINE, DAY, small_world)
    return small_world.lake


@pytest.fixture(scope="module")
def population(lake):
    """(metric, window, window_end, slice, slice_value) -> row"""
    rows = lake.read(TABLES["population_metrics"]).collect()
    found = {(r["metric"], r["window"], r["window_end"], r["slice"], r["slice_value"]): r for r in rows}
    assert len(found) == len(rows), "a cell is there twice"
    return found


@pytest.fixture(scope="module")
def everybody(population):
    def value(metric: str, window: str = "month", end: date = MARCH.end) -> float | None:
        return population[metric, window, end, "all", "all"]["value"]

    return value


def _one(lake, table: str, span: Span, text: str) -> float:
    return lake.read(TABLES[table], (span.start, span.end)).selectExpr(text).first()[0]


def test_active_users_are_those_of_visit_days(lake, everybody) -> None:
    days = lake.read(TABLES["visit_days"]).where("active_events > 0 and subscriber_id is not null")
    for span, window in ((MARCH, "month"), (DAY, "day")):
        wanted = days.where(f"day between date'{span.start}' and date'{span.end}'")
        assert everybody("active_users", window, span.end) == wanted.select("subscriber_id").distinct().count()


def test_visit_measures_are_those_of_visits(lake, everybody, population) -> None:
    named = _one(lake, "visits", MARCH, "count(subscriber_id)")
    assert everybody("identified_visit_rate") == pytest.approx(named / _one(lake, "visits", MARCH, "count(*)"))
    pages = _one(lake, "visits", MARCH, "sum(if(subscriber_id is not null, page_view, 0))")
    assert everybody("pages_per_visit") == pytest.approx(pages / named)
    score = _one(lake, "visits", MARCH, "sum(if(subscriber_id is not null, score['general'], 0))")
    assert everybody("score_per_visit") == pytest.approx(score / named)
    app = _one(lake, "visits", MARCH, "count_if(subscriber_id is not null and channel = 'app')")
    assert everybody("app_visit_share") == pytest.approx(app / named)
    bounced = _one(lake, "visits", MARCH, "count_if(subscriber_id is not null and channel = 'app' and bounced)")
    assert population["bounce_rate", "month", MARCH.end, "channel", "app"]["value"] == pytest.approx(bounced / app)


def test_sales_are_those_of_orders(lake, everybody) -> None:
    sold = (
        "status in ('paid', 'fulfilled', 'cancelled') and business <> 'topup' and channel in ('app', 'web', 'wechat')"
    )
    fen = _one(lake, "orders", MARCH, f"sum(if({sold} and subscriber_id is not null, amount_fen, 0))")
    assert everybody("echannel_sales") == pytest.approx(fen / 100)
    assert fen > 0


def test_penetration_is_of_the_snapshot_of_the_month(lake, population) -> None:
    snapshot = lake.read(TABLES["subscriber_month"], (MARCH.start, MARCH.start))
    in_service = snapshot.where("status not in ('cancelled', 'ported_out')").count()
    row = population["echannel_penetration", "month", MARCH.end, "all", "all"]
    assert row["denominator"] == in_service
    assert row["numerator"] == pytest.approx(row["value"] * in_service)


def test_growth_accounting(lake, everybody) -> None:
    """Active = new + won back + those who were active in February and did not go silent."""
    days = lake.read(TABLES["visit_days"]).where("active_events > 0 and subscriber_id is not null")
    before = days.where(f"day <= date'{FEBRUARY.end}'").select("subscriber_id").distinct().count()
    stayed = before - everybody("newly_silent_users")
    assert everybody("active_users") == everybody("new_users") + everybody("win_back_users") + stayed
    assert everybody("period_retention") == pytest.approx(stayed / before)
    assert 0 < stayed < before


def test_populations_are_sums_of_their_subscribers(lake, everybody) -> None:
    march = lake.read(TABLES["subscriber_metrics"], (MARCH.end, MARCH.end)).where("window = 'month'")
    counts = (
        "total_users",
        "new_users",
        "active_users",
        "newly_silent_users",
        "echannel_orders",
        "buyers",
        "silent_users",
    )
    found = march.selectExpr(*(f"sum({name}) {name}" for name in counts)).first()
    assert {name: found[name] for name in counts} == {name: everybody(name) for name in counts}
    assert march.where("subscriber_id is null").count() == 0


def test_cells_of_an_attribute_add_up(population) -> None:
    for attribute in ("area", "age_band", "plan", "consumption_segment", "behaviour_segment"):
        cells = [
            r
            for (m, w, e, s, _), r in population.items()
            if (m, w, e, s) == ("active_users", "month", MARCH.end, attribute)
        ]
        assert len(cells) > 1
        assert (
            sum(row["value"] for row in cells) == population["active_users", "month", MARCH.end, "all", "all"]["value"]
        )


def test_what_history_does_not_cover_is_null(everybody) -> None:
    assert everybody("period_retention") is not None  # February is known
    assert everybody("mature_churn_3m") is None  # it asks for three months before
    assert everybody("regular_users") is None  # three months
    assert everybody("active_users", "r90") is None
    assert everybody("d30_retention") is None  # whoever came on 30 January
    assert everybody("d1_retention") is not None


def test_every_cell_says_what_it_is(population) -> None:
    rows = population.values()
    assert {len(row["definition_hash"]) for row in rows} == {16}
    assert len({row["metric"] for row in rows if row["slice"] == "all"}) == 157
    assert all(row["complete_through"].date() <= date(2026, 4, 1) for row in rows)
    wrong = [
        r
        for r in rows
        if r["denominator"]
        and r["value"] is not None
        and abs(r["value"] * r["denominator"] - r["numerator"]) > 1e-6 * max(1, abs(r["numerator"]))
    ]
    assert not wrong, wrong[:3]


def test_a_value_is_explained(lake, small_world) -> None:
    march = lake.read(TABLES["subscriber_metrics"], (MARCH.end, MARCH.end)).where(
        "window = 'month' and echannel_orders > 0"
    )
    row = march.orderBy("subscriber_id").first()
    plans = Plans.of_subscribers(small_world.catalogue).only(["echannel_orders"])
    tables = inputs_of(compute_subscriber_metrics.JOB, Span(MARCH.end, MARCH.end), lake)
    window = WindowEnd("month", MARCH.end)
    lines = list(
        explain_metric(tables, plans, metric="echannel_orders", subscriber_id=row["subscriber_id"], window=window)
    )
    assert lines[-1] == f"echannel_orders = {row['echannel_orders']}"
    assert any(line.split() == ["orders_ech", str(row["echannel_orders"])] for line in lines)


def test_days_one_by_one_are_the_days_of_a_month(lake, small_world) -> None:
    window = date(2026, 3, 10), date(2026, 3, 12)

    def days():
        return sorted(map(str, lake.read(TABLES["subscriber_days"], window).collect()))

    of_the_month = days()
    for day in Span(*window).days():
        run_job(measure_days.JOB, Span(day, day), small_world)
    assert days() == of_the_month
    assert of_the_month
