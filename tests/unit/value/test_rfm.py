"""What is known of a customer, by hand and against totals of CDNOW that two programs agree on."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from visitgrain.value.rfm import summaries

MARCH = [
    # customer, day of March, amount
    (1, 1, 10.0),
    (1, 1, 20.0),  # the same day: one purchase of 30
    (1, 15, 50.0),
    (1, 22, 70.0),
    (2, 8, 5.0),
    (1, 30, 999.0),  # after the end
    (3, 30, 999.0),  # nobody yet
]


def table(rows) -> pl.DataFrame:
    return pl.DataFrame(
        [(customer, date(2026, 3, day), amount) for customer, day, amount in rows],
        schema=["customer", "day", "amount"],
        orient="row",
    )


@pytest.mark.parametrize("rows", [MARCH, MARCH[::-1]], ids=["as written", "backwards"])
def test_purchases_of_a_customer(rows):
    assert summaries(table(rows), date(2026, 3, 29)).rows() == [
        # customer, x, t_x = (22 - 1) / 7, T = (29 - 1) / 7, (30 + 50 + 70) / 3, (50 + 70) / 2
        (1, 2, 3.0, 4.0, 50.0, 60.0),
        (2, 0, 0.0, 3.0, 5.0, None),  # T = (29 - 8) / 7
    ]


def test_no_purchases_no_customers():
    assert summaries(table(MARCH), date(2026, 2, 28)).is_empty()


def test_totals_of_cdnow(purchases, customers):
    assert len(purchases["all"]) == 69_659
    assert purchases["all"]["amount"].sum() == pytest.approx(2_500_315.63)
    totals = {
        name: (len(found), (found["x"] > 0).sum(), found["x"].sum(), found["later"].sum())
        for name, found in customers.items()
    }
    assert totals == {"all": (23_570, 9_451, 24_337, 19_684), "sample": (2_357, 946, 2_457, 1_882)}
    assert (customers["all"]["later"] == 0).sum() == 16_512


def test_quantiles_of_cdnow(customers):
    found = customers["all"]
    recency = ((found["T"] - found["t_x"]) * 7).round()
    money = (found["x"] + 1) * found["mean_value"]
    at = (0.1, 0.25, 0.5, 0.75, 0.9)
    assert [recency.quantile(q, "linear") for q in at] == [44, 141, 208, 237, 256]
    assert [(found["x"] + 1).quantile(q, "linear") for q in at] == [1, 1, 1, 2, 4]
    assert [money.quantile(q, "linear") for q in at] == pytest.approx([12.49, 15.99, 35.95, 76.43, 160.46], abs=0.01)
