"""Counted histories to a row of `value_models`, histories to rows of `customer_value`: without Spark."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from visitgrain.catalogue.customer_value import CustomerValue
from visitgrain.catalogue.yaml_file import parse
from visitgrain.errors import ConfigError
from visitgrain.value import bgnbd
from visitgrain.value.estimating import estimated
from visitgrain.value.fitting import fitted

SHIPPED = Path(__file__).resolve().parents[3] / "conf" / "catalogue" / "customer_value.yaml"
SETTINGS = parse(CustomerValue, SHIPPED)
MARCH = date(2026, 3, 1)
COMMON = {"month": MARCH, "definition_hash": "0" * 16}
PARAMETERS = ("r", "alpha", "a", "b", "p", "q", "v", "log_likelihood")


def counted(kind: str, rows) -> pa.Table:
    names = ("kind", "x", "t_x", "T", "mean_value", "n")
    return pa.table(dict(zip(names, zip(*[(kind, *row) for row in rows], strict=True), strict=True)))


def histories(rows) -> pa.Table:
    names = ["subscriber_id", "visit_repeats", "visit_lifetime_days", "visit_age_days"]
    names += ["order_repeats", "order_lifetime_days", "order_age_days", "mean_order_fen"]
    types = [pa.int64(), *[pa.int32()] * 6, pa.float64()]
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows], schema=pa.schema(list(zip(names, types, strict=True)))
    )


def test_a_model_is_fitted_on_counts():
    rows = [(2, 28, 30, None, 5), (0, 0, 44, None, 30), (1, 10, 60, None, 7)]
    found = fitted(counted("visits", rows), common=COMMON).to_pylist()[0]
    direct = bgnbd.fit([2, 0, 1], [4, 0, 10 / 7], [30 / 7, 44 / 7, 60 / 7], [5, 30, 7])
    assert {name: found[name] for name in direct.to_dict()} == pytest.approx(direct.to_dict())
    assert (found["month"], found["kind"], found["customers"], found["p"]) == (MARCH, "visits", 42, None)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [("orders", [(0, 0, 9, None, 100)]), ("order_value", [(1, None, None, 500.0, 8), (2, None, None, 500.0, 1)])],
)
def test_too_little_to_fit_is_a_row_without_parameters(kind, rows):
    found = fitted(counted(kind, rows), common=COMMON).to_pylist()[0]
    assert [found[name] for name in PARAMETERS] == [None] * 8
    assert found["customers"] == sum(row[-1] for row in rows)


def test_a_broken_history_is_an_error_not_a_missing_model():
    with pytest.raises(ValueError, match="impossible history"):
        fitted(counted("visits", [(1, 50, 40, None, 1)]), common=COMMON)


def test_what_no_model_says_is_null():
    orders = {"r": 0.5, "alpha": 5.0, "a": 0.8, "b": 2.5, "log_likelihood": -1.0, "customers": 9}
    money = {"p": 6.0, "q": 4.0, "v": 1500.0, "log_likelihood": -1.0, "customers": 9}
    models = {"orders": orders, "order_value": money, "visits": {**orders, "r": None}}
    known = histories(
        [
            (1, 3, 20, 30, 30, 350, 360, 90_000.0),  # 31 order days of 900 yuan
            (2, 3, 20, 30, None, None, None, None),  # never ordered
            (3, None, None, None, 0, 0, 360, -100.0),  # once, a year ago, and took it back
        ]
    )
    rows = estimated(known, models, SETTINGS, MARCH).to_pylist()
    assert [row["value_tier"] for row in rows] == ["high", None, "low"]
    assert [row["p_alive_orders"] for row in rows] == [pytest.approx(0.97, abs=0.03), None, 1.0]
    assert [row["expected_visit_days"] for row in rows] == [None] * 3  # the month has no such model
    assert rows[1]["expected_value_fen"] is None
    assert rows[2]["expected_order_fen"] == pytest.approx(6 * 1500 / (6 + 4 - 1))  # as if it had spent nothing
    for row in (rows[0], rows[2]):
        assert row["expected_value_fen"] == pytest.approx(row["expected_orders"] * row["expected_order_fen"])
    assert estimated(known, {}, SETTINGS, MARCH)["expected_order_fen"].null_count == 3


def test_tiers_rise(tmp_path):
    path = tmp_path / "customer_value.yaml"
    path.write_text(SHIPPED.read_text().replace("[1000, 5000]", "[5000, 1000]"))
    with pytest.raises(ConfigError, match="do not rise from 0 on; write the lower one first"):
        parse(CustomerValue, path)


def test_the_definition_hash_follows_the_settings():
    other = SETTINGS.model_copy(update={"horizon_days": 30})
    assert other.definition_hash != SETTINGS.definition_hash
