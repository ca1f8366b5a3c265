"""Laws that hold between the numbers of populations: a table that keeps them, and one change that breaks each."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from tests.conftest import ROOT
from visitgrain.catalogue.metrics import load_metrics
from visitgrain.metrics.invariants import broken_laws
from visitgrain.metrics.plans import Plans
from visitgrain.tables.measuring import WINDOWS

END = date(2026, 3, 31)
COLUMNS = ("metric", "slice", "slice_value", "value", "numerator", "denominator", "subscribers")
# In area A 5 were active before and 4 of them stayed, in B 3 and 1: active = new + won back + stayed.
ROWS = {
    ("active_users", "all", "all"): (9.0, 9.0, None, 9),
    ("active_users", "area", "A"): (6.0, 6.0, None, 6),
    ("active_users", "area", "B"): (3.0, 3.0, None, 3),
    ("new_users", "all", "all"): (3.0, 3.0, None, 3),
    ("new_users", "area", "A"): (2.0, 2.0, None, 2),
    ("new_users", "area", "B"): (1.0, 1.0, None, 1),
    ("win_back_users", "all", "all"): (1.0, 1.0, None, 1),
    ("win_back_users", "area", "A"): (0.0, 0.0, None, 0),
    ("win_back_users", "area", "B"): (1.0, 1.0, None, 1),
    ("newly_silent_users", "all", "all"): (3.0, 3.0, None, 3),
    ("newly_silent_users", "area", "A"): (1.0, 1.0, None, 1),
    ("newly_silent_users", "area", "B"): (2.0, 2.0, None, 2),
    ("period_retention", "all", "all"): (5 / 8, 5.0, 8.0, 8),
    ("period_retention", "area", "A"): (4 / 5, 4.0, 5.0, 5),
    ("period_retention", "area", "B"): (1 / 3, 1.0, 3.0, 3),
    ("active_users", "channel", "app"): (8.0, 8.0, None, 8),  # channels overlap: they need not add up
    ("active_users", "channel", "web"): (4.0, 4.0, None, 4),
}


@pytest.fixture(scope="module")
def plans() -> Plans:
    found = load_metrics(ROOT / "conf" / "catalogue")
    return Plans(found, "Asia/Shanghai", tuple(found.metrics), WINDOWS)


def laws(plans: Plans, changes: dict) -> list[str]:
    lines = [dict(zip(COLUMNS, (*key, *values), strict=True)) for key, values in (ROWS | changes).items()]
    return broken_laws(pa.Table.from_pylist([line | {"window": "month", "window_end": END} for line in lines]), plans)


def test_a_table_that_keeps_the_laws(plans: Plans) -> None:
    assert laws(plans, {}) == []


def test_what_history_does_not_reach_breaks_nothing(plans: Plans) -> None:
    unknown = {
        key: (None, None, None, ROWS[key][3]) for key in ROWS if key[0] in ("win_back_users", "period_retention")
    }
    assert laws(plans, unknown) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {("period_retention", "area", "A"): (1.25, 5.0, 4.0, 5)},
            "period_retention outside of its range in 1 cells: 1.25 (month to 2026-03-31, area A)",
        ),
        (
            {("period_retention", "area", "A"): (0.81, 4.0, 5.0, 5)},
            "period_retention is not numerator / denominator in 1 cells: 0.81",
        ),
        ({("new_users", "area", "B"): (1.0, 2.0, None, 1)}, "new_users is not numerator / denominator in 1 cells: 1.0"),
        (
            {("period_retention", "area", "B"): (1 / 3, 1.0, 3.0, 4)},
            "period_retention has other subscribers than its cells together in 1 cells",
        ),
        (
            {("win_back_users", "area", "A"): (1.0, 1.0, None, 0)},
            "win_back_users is not the sum of its cells in 1 cells: 1.0 (month to 2026-03-31, area all)",
        ),
        (
            {("newly_silent_users", "area", "B"): (1.0, 1.0, None, 2)},
            "active_users is not new, won back and retained users together in 1 cells: 3.0 (month to",
        ),
    ],
)
def test_a_broken_law_is_told_with_its_cell(plans: Plans, changes: dict, said: str) -> None:
    assert any(message.startswith(said) for message in laws(plans, changes)), laws(plans, changes)


def test_a_metric_of_campaigns_need_not_add_up(plans: Plans) -> None:
    """Members of several campaigns count in each: rolled up, not added up."""
    rolled = next(metric.id for metric in plans.metrics if metric.rollup)
    cells = {(rolled, "all", "all"): (0.1, 1.0, 10.0, 10), (rolled, "area", "A"): (0.1, 1.0, 10.0, 9)}
    assert laws(plans, cells) == []
