"""Which cells do not leave the lake: by small tables, by property, and for the shipped catalogue."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from visitgrain.catalogue.metrics import MetricCatalogue, load_metrics
from visitgrain.metrics.describe import fraction_of
from visitgrain.metrics.suppression import (
    ALL,
    IDENTITIES,
    NUMBERS,
    PROTECTS,
    SMALL,
    Cell,
    cell_of,
    emptied,
    hidden_cells,
    marked,
    read_in_others,
)

END, K = date(2026, 3, 31), 10
Table = dict[str, dict[str, int]]  # area -> subscribers, by metric
NAMES = sorted(set().union(*IDENTITIES)) + ["new_user_share"]


def cells(table: Table, slice_: str = "area") -> dict[Cell, int]:
    """The cells of each metric, and `all`, which they add up to."""
    found = {}
    for metric, areas in table.items():
        found[Cell(metric, "month", END, ALL, ALL)] = sum(areas.values())
        found |= {Cell(metric, "month", END, slice_, area): number for area, number in areas.items()}
    return found


def hidden(table: Table, read_in: dict[str, list[str]] | None = None) -> dict[str, str]:
    """What is hidden, as {'metric area': why}."""
    found = hidden_cells(cells(table), K, read_in or {})
    return {f"{cell.metric} {cell.slice_value}": why for cell, why in found.items()}


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ({"A": 10, "B": 11}, {}),
        ({"A": 9, "B": 30, "C": 20}, {"m A": SMALL, "m C": PROTECTS}),  # alone A would be all - B - C
        ({"A": 3, "B": 4, "C": 20, "D": 30}, {"m A": SMALL, "m B": SMALL, "m C": PROTECTS}),  # 3 + 4 are still < 10
        ({"A": 6, "B": 4, "C": 20}, {"m A": SMALL, "m B": SMALL}),
        ({"A": 0, "B": 20, "C": 20}, {"m A": SMALL, "m B": PROTECTS}),  # 0 is small; of equals the first by name
        ({"A": 2, "B": 40}, {"m A": SMALL, "m B": PROTECTS}),  # no other is left: all of the slice
        ({"A": 2, "B": 3}, {"m A": SMALL, "m B": SMALL, "m all": SMALL}),
    ],
)
def test_a_slice_has_no_or_several_hidden_cells(areas, expected):
    assert hidden({"m": areas}) == expected


def test_without_the_number_for_everybody_nothing_of_a_metric_is_shown():
    found = hidden_cells({**cells({"m": {"A": 4, "B": 4}}), Cell("m", "month", END, "channel", "app"): 12}, K, {})
    assert found[Cell("m", "month", END, "channel", "app")] == PROTECTS


def test_another_metric_of_an_identity_is_hidden_and_its_slice_completed():
    table = {
        "active_users": {"A": 100, "B": 100, "C": 100},
        "new_users": {"A": 3, "B": 20, "C": 30},
        "win_back_users": {"A": 40, "B": 50, "C": 60},
        "newly_silent_users": {"A": 30, "B": 70, "C": 20},
    }
    assert hidden(table) == {
        "new_users A": SMALL,
        "new_users B": PROTECTS,  # else all - B - C = A
        "newly_silent_users A": PROTECTS,  # active - won back - (active before - newly silent) = new
        "win_back_users B": PROTECTS,  # the same for B
        "newly_silent_users C": PROTECTS,  # two of each slice
        "win_back_users A": PROTECTS,
        "new_users C": PROTECTS,  # newly silent of C is hidden, the others would give it away
    }


def test_a_metric_that_prints_a_hidden_number_is_hidden_there():
    table = {"new_users": {"A": 3, "B": 20, "C": 30}, "new_user_share": {"A": 90, "B": 80, "C": 70}}
    found = hidden(table, {"new_users": ["new_user_share"]})
    assert found["new_user_share A"] == found["new_user_share B"] == PROTECTS
    assert "new_user_share C" not in found


def test_windows_do_not_mix():
    other = {cell._replace(window="r28"): 50 for cell in cells({"m": {"A": 9, "B": 30}})}
    found = hidden_cells({**cells({"m": {"A": 9, "B": 30, "C": 20}}), **other}, K, {})
    assert {cell.window for cell in found} == {"month"}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    areas = draw(st.lists(st.sampled_from("ABCDEF"), min_size=1, unique=True))
    sizes = st.one_of(st.integers(0, 12), st.integers(K, 200))
    names = draw(st.one_of(st.just(NAMES), st.lists(st.sampled_from(NAMES), min_size=1, unique=True)))
    return {name: {area: draw(sizes) for area in areas} for name in names}


READ_IN = {"new_users": ["new_user_share", "quick_ratio"], "active_users": ["new_user_share"]}


def rows_of(table: Table) -> list[dict]:
    return [
        {**cell._asdict(), "value": n / 2, "numerator": float(n), "denominator": 2.0, "subscribers": n}
        for cell, n in cells(table).items()
    ]


@given(tables())
def test_what_is_published_gives_nothing_hidden_away(table):
    before = {cell_of(row): row for row in rows_of(table)}
    after = {cell_of(row): row for row in map(emptied, marked(before.values(), K, READ_IN))}
    gone = {cell for cell, row in after.items() if row["hidden"]}
    assert all((before[cell]["subscribers"] < K) <= (cell in gone) for cell in before)
    assert all({**before[cell], "hidden": None} == row for cell, row in after.items() if cell not in gone)
    assert all(after[cell][name] is None for cell in gone for name in NUMBERS)
    for metric, areas in table.items():
        total = Cell(metric, "month", END, ALL, ALL)
        own = [cell for cell in before if cell.metric == metric and cell.slice != ALL]
        unknown = [cell for cell in own if cell in gone]
        if total in gone:
            assert unknown == own
        elif unknown:
            assert len(unknown) > 1 or len(areas) == 1
            assert sum(before[cell]["subscribers"] for cell in unknown) >= K
    for place in {cell[1:] for cell in before}:
        hidden_here = {cell.metric for cell in gone if cell[1:] == place}
        for identity in IDENTITIES:
            assert not identity <= set(table) or len(identity & hidden_here) != 1
        for metric in hidden_here:
            assert set(READ_IN.get(metric, ())) & set(table) <= hidden_here


@given(tables())
def test_nothing_is_hidden_where_all_cells_are_large(table):
    large = {metric: {area: n + K for area, n in areas.items()} for metric, areas in table.items()}
    assert hidden(large, READ_IN) == {}


@pytest.fixture(scope="module")
def catalogue() -> MetricCatalogue:
    return load_metrics(Path(__file__).parents[3] / "conf" / "catalogue")


def test_where_the_shipped_catalogue_prints_a_count(catalogue):
    found = read_in_others({name: fraction_of(catalogue, name) for name in catalogue.metrics})
    assert {"new_user_share", "first_visit_bounce_rate"} <= set(found["new_users"])
    assert {"active_user_growth", "stickiness", "user_conversion_rate"} <= set(found["active_users"])
    assert "avg_daily_active_users" in set(found) - set(found["active_users"])
    assert {"stickiness", "active_days_trend"} <= set(found["avg_daily_active_users"])  # sums of both parts, too
    assert found["newly_silent_users"] == ["quick_ratio"]
    assert "aov" in found["echannel_sales"]  # fen and yuan


def test_the_identities_name_metrics_of_the_catalogue(catalogue):
    assert set().union(*IDENTITIES) <= set(catalogue.metrics)
