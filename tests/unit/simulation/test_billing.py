"""Snapshots of CRM and billing: who is in the base, what data costs, and the hazard told beside them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.simulation.worlds import Lens, within
from visitgrain.simulation.billing import to_hazards, to_snapshots
from visitgrain.simulation.days import month_number, number_of
from visitgrain.simulation.subscribers import to_subscribers
from visitgrain.simulation.world import load_world
from visitgrain.span import Span

WORLD, N = load_world(), 12_000
SPAN = Span(date(2025, 1, 1), date(2025, 4, 30))


@pytest.fixture(scope="module")
def people():
    return to_subscribers(np.arange(N), world=WORLD, span=SPAN, seed=3)


@pytest.fixture(scope="module")
def books(people) -> Lens:
    """Snapshots and hazards of four months."""
    months = [int(month_number(number_of(month.start))) for month in SPAN.months()]
    lives = pa.table(
        {
            name: getattr(people, name)
            for name in ("subscriber_id", "activation", "left_on", "silent_from", "hands_over")
        }
    )
    return Lens(
        {
            "months": pa.concat_tables([to_snapshots(people, world=WORLD, month=month) for month in months]),
            "hazards": pa.concat_tables([to_hazards(people, world=WORLD, month=month) for month in months]),
            "lives": lives,
        }
    )


def test_one_row_from_the_month_of_activation_to_the_month_of_leaving(books):
    expected = """
        select m, count(*) from lives, (select distinct month m from months)
        where activation <= last_day(m) - date '1970-01-01' and left_on >= m - date '1970-01-01' group by 1 order by 1
    """
    found = books.rows("select month, count(distinct subscriber_id) from months group by 1 order by 1")
    assert found == books.rows(expected)
    assert books.value("select count(*) - count(distinct (subscriber_id, month)) from months") == 0


def test_the_last_row_of_who_leaves_says_so(books):
    last = """
        select m.status, count(*) from months m join lives l using (subscriber_id)
        where l.left_on between m.month - date '1970-01-01' and last_day(m.month) - date '1970-01-01' group by 1
    """
    left = dict(books.rows(last))
    assert set(left) == {"cancelled", "ported_out"}
    others = dict(books.rows("select status, count(*) from months group by 1"))
    assert {name: others[name] for name in left} == left
    assert within(others["arrears_stop"] / sum(others.values()), 0.015, sum(others.values()))


def test_revenue_is_plan_overage_and_extras(books):
    """Overage: 0.3 fen per MB above the quota, once the price of the plan at most. Extras: 3 yuan x e^z."""
    extras = """
        select avg(ln(extras / 300)), stddev(ln(extras / 300)), count(*), min(extras) from
          (select arpu_fen - plan_fee_fen - least(greatest(dou_mb - data_quota_mb, 0) * 0.3, plan_fee_fen) extras
           from months)
    """
    [(mean, deviation, n, least)] = books.rows(extras)
    assert least > 0
    assert abs(mean) < 4 / n**0.5 + 0.02
    assert abs(deviation - 1) < 0.03
    assert books.value("select count(*) from months where data_used_mb <> least(dou_mb, data_quota_mb)") == 0
    assert 0.1 < books.value("select avg((dou_mb > data_quota_mb)::int) from months") < 0.3


def test_the_silent_use_little_data(books):
    """0.15 of the usual; the spread between months is e^(0.25 z), whose median is 1."""
    change = """
        select median(later.dou_mb / before.dou_mb) from months before join months later using (subscriber_id)
        join lives l using (subscriber_id)
        where l.silent_from between before.month - date '1970-01-01' + 1 and last_day(before.month) - date '1970-01-01'
          and later.month = before.month + interval 1 month
    """
    assert books.value(change) == pytest.approx(0.15, rel=0.15)


def test_a_hazard_is_told_until_it_strikes_and_never_of_who_hands_a_number_over(books):
    rows = """
        select count(*) filter (h.month - date '1970-01-01' > l.silent_from), count(*) filter (l.hands_over),
               count(*) filter (is_silent), count(distinct subscriber_id) filter (is_silent)
        from hazards h join lives l using (subscriber_id)
    """
    [(after, handing, strikes, struck)] = books.rows(rows)
    assert (after, handing) == (0, 0)
    assert strikes == struck > 300
