"""Value of ten subscribers at the end of March 2026: histories by hand, models as fitted on them, estimates."""

from __future__ import annotations

from datetime import date

import pytest

from pipelines import monthly_value
from tests.jobs.runtime_world import context
from tests.table_rows import found, read_rows, rows_to_frame
from visitgrain.runtime.runner import run_pipeline
from visitgrain.span import Span
from visitgrain.tables.inputs import ORDERS
from visitgrain.tables.valuing import CUSTOMER_VALUE, VALUE_MODELS
from visitgrain.tables.visiting import VISIT_DAYS
from visitgrain.value import bgnbd, gamma_gamma

MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))
# Subscribers 1-7 are active on app days; what makes no active day of theirs: no active event, nobody known, April.
ACTIVE = {
    1: ["03-01", "03-08", "03-08", "03-29"],  # two visits of a day are one
    2: ["02-01", "02-02", "02-03"],
    3: ["03-31"],
    4: ["01-20", "02-20", "03-20", "03-21"],
    5: ["02-15"],
    6: ["01-05", "03-30"],
    7: ["03-10", "03-11"],
}
PASSIVE, NOBODY, APRIL = (8, "03-05", 0), (None, "03-05", 1), (1, "04-01", 1)
VISIT_HISTORIES = [
    # subscriber, x, t_x, T (31 March - first)
    (1, 2, 28, 30),
    (2, 2, 2, 58),
    (3, 0, 0, 0),
    (4, 3, 60, 70),
    (5, 0, 0, 44),
    (6, 1, 84, 85),
    (7, 1, 1, 21),
]
ORDERS_TEXT = """
subscriber_id | order_date | status    | business  | amount_fen
1             | 2026-03-01 | paid      | data      | 1000
1             | 2026-03-01 | fulfilled | plan      | 2000
1             | 2026-03-11 | cancelled | data      | 5000
1             | 2026-03-12 | paid      | data      | -800
2             | 2026-02-01 | paid      | -         | 9000
2             | 2026-02-21 | failed    | data      | 7777
2             | 2026-02-22 | paid      | topup     | 7777
8             | 2026-01-30 | paid      | data      | 400
8             | 2026-03-01 | paid      | data      | -
8             | 2026-03-31 | paid      | data      | 200
9             | 2026-03-31 | paid      | data      | -500
-             | 2026-03-31 | paid      | data      | 500
10            | 2026-04-01 | paid      | data      | 500
"""
ORDER_HISTORIES = [
    # subscriber, x, t_x, T, mean: money of completed orders but top-ups / days with a purchase
    (1, 1, 10, 30, (1000 + 2000 + 5000 - 800) / 2),
    (2, 0, 0, 58, 9000),
    (8, 2, 60, 60, (400 + 0 + 200) / 3),
]


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    made = context(spark, tmp_path_factory.mktemp("value") / "lake")
    days = [(who, day, 1) for who, listed in ACTIVE.items() for day in listed] + [PASSIVE, NOBODY, APRIL]
    lines = [
        f"{n} | {who or '-'} | 2026-{day} | 2026-{day} | app | {events}" for n, (who, day, events) in enumerate(days)
    ]
    header = "visit_id | subscriber_id | day | visit_date | channel | active_events"
    visit_days = rows_to_frame(spark, VISIT_DAYS, read_rows(VISIT_DAYS, "\n".join([header, *lines])))
    staged = made.lake.stage(VISIT_DAYS, visit_days, replaces=None, part="settled")
    made.lake.commit(staged, run_id="r")
    rows = read_rows(ORDERS, ORDERS_TEXT, channel="outlet")
    orders = rows_to_frame(spark, ORDERS, [{**row, "order_id": str(n)} for n, row in enumerate(rows)])
    made.lake.replace(ORDERS, orders, window=None, run_id="r")
    run_pipeline(monthly_value.PIPELINE, MARCH, made)
    return made.lake


def weeks(histories) -> tuple[list[float], ...]:
    x, t_x, T = (list(column) for column in list(zip(*histories, strict=True))[1:4])
    return x, [days / 7 for days in t_x], [days / 7 for days in T]


@pytest.fixture(scope="module")
def models():
    return {
        "visits": bgnbd.fit(*weeks(VISIT_HISTORIES)),
        "orders": bgnbd.fit(*weeks(ORDER_HISTORIES)),
        "order_value": gamma_gamma.fit([2, 1, 3], [3600, 9000, 200]),
    }


def test_histories_are_those_by_hand(lake):
    value = lake.read(CUSTOMER_VALUE)
    named = ("subscriber_id", "visit_repeats", "visit_lifetime_days", "visit_age_days")
    assert found(value.where("visit_repeats is not null"), *named) == VISIT_HISTORIES
    named = ("subscriber_id", "order_repeats", "order_lifetime_days", "order_age_days", "mean_order_fen")
    assert found(value.where("order_repeats is not null"), *named) == ORDER_HISTORIES
    assert [row.subscriber_id for row in value.orderBy("subscriber_id").collect()] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_models_are_those_fitted_on_the_histories(lake, models):
    rows = {row.kind: row.asDict() for row in lake.read(VALUE_MODELS).collect()}
    assert {kind: row["customers"] for kind, row in rows.items()} == {"visits": 7, "orders": 3, "order_value": 3}
    for kind, model in models.items():
        stored = {name: rows[kind][name] for name in model.to_dict()}
        assert stored == pytest.approx(model.to_dict())
    assert rows["visits"]["p"] is None
    assert rows["order_value"]["r"] is None


def test_estimates_are_those_of_the_models(lake, models):
    rows = {row.subscriber_id: row for row in lake.read(CUSTOMER_VALUE).collect()}
    alive, expected = (
        models["visits"].alive(*weeks(VISIT_HISTORIES)),
        models["visits"].expected(90 / 7, *weeks(VISIT_HISTORIES)),
    )
    assert [rows[who].p_alive_visits for who, *_ in VISIT_HISTORIES] == pytest.approx(alive)
    assert [rows[who].expected_visit_days for who, *_ in VISIT_HISTORIES] == pytest.approx(expected)
    orders = models["orders"].expected(90 / 7, *weeks(ORDER_HISTORIES))
    money = models["order_value"].expected_value([2, 1, 3], [3600, 9000, 200])
    assert [rows[who].expected_value_fen for who, *_ in ORDER_HISTORIES] == pytest.approx(orders * money)
    tiers = ["low" if fen < 1000 else "mid" if fen < 5000 else "high" for fen in orders * money]
    assert [rows[who].value_tier for who, *_ in ORDER_HISTORIES] == tiers


def test_who_never_ordered_or_never_came_has_no_such_estimate(lake):
    rows = {row.subscriber_id: row for row in lake.read(CUSTOMER_VALUE).collect()}
    assert (rows[3].p_alive_orders, rows[3].expected_orders, rows[3].expected_value_fen, rows[3].value_tier) == (
        None,
    ) * 4
    assert (rows[8].p_alive_visits, rows[8].expected_visit_days) == (None, None)
    assert rows[8].expected_orders > 0
