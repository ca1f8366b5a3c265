"""The language of metrics by hand, also what no shipped formula says: three subscribers in the week of days 4 to 10."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import numpy as np

from visitgrain.catalogue.atoms import Atom
from visitgrain.catalogue.expression_tree import Name
from visitgrain.catalogue.formulas import Leaf
from visitgrain.catalogue.metric_language import MeasureKind, parsed
from visitgrain.metrics import bucket, cells, date_sets, values
from visitgrain.metrics.windows import EPOCH, WindowEnd

WEEK = WindowEnd("r7", EPOCH + timedelta(days=10))
DAYS = [{0, 5}, {3, 4}, {4, 10}]
# a = 0, 2, 5; s, of a snapshot, = null, 0, 3; d, a date, = null, 3, 10
CASES: dict[str, list] = {
    "a > 1 or s == 0": [False, True, True],
    "a > 1 and s == 0": [False, True, False],
    "a != 2": [True, False, True],
    "not (a > 1)": [True, False, False],
    "window_days * a": [0, 14, 35],
    "d + 1 <= window_end": [False, True, False],
    "d - 3 >= window_start": [False, False, True],
    "not (d - 3 + 0)": [True, False, False],  # a date is true, also day 0
    "is_null(prev(d))": [True, False, True],  # the week before ends on day 3
    "is_null(later)": [False, False, False],  # day 12; only earlier windows do not know of it
    "is_null(prev(later))": [True, True, True],
    "is_null(d)": [True, False, False],
    "is_null(s)": [True, False, False],
    "is_null(a)": [False, False, False],
    "hits(days, d, window_end)": [0, 2, 1],
    "hits(days, window_start, window_end)": [1, 1, 2],
    "isolated(days, window_start - 1, window_end, 1)": [1, 1, 2],
    "due(d, 0)": [False, False, True],
    "due(d, 1)": [False, True, False],
    "days(d, window_end)": [None, 7, 0],
    "a / s": [None, None, 5 / 3],
    "a ** 2": [0, 4, 25],
    "where(a > 1, s)": [None, 0, 3],
    "greatest(a, s)": [None, 2, 5],
    "sqrt(a + 4)": [2, 6**0.5, 3],
}


def broken_cases() -> list[str]:
    """What does not come out as written here. Modules are looked up when they are used: mutants take their place."""
    people = _people()
    wrong = [text for text, want in CASES.items() if _told(people.value(parsed(text), 0), 3) != want]
    return [*wrong, *(name for name, holds in _sums() if not holds)]


def _people() -> values.People:
    words = date_sets.empty(3)
    rows = np.array([row for row, days in enumerate(DAYS) for _ in days])
    date_sets.insert(words, rows, np.array([day for days in DAYS for day in days]), 0)
    there = np.array([False, True, True])
    atoms = {
        Atom("a"): values.Value(np.array([0, 2, 5])),
        Atom("s"): values.Value(np.array([0, 0, 3]), there),
        Atom("d"): values.Value(np.array([0, 3, 10]), there, "date"),
        Atom("later"): values.Value(np.array([12, 12, 12]), None, "date"),
        Atom("days"): values.Value(words, None, "set"),
    }
    kinds = {"a": MeasureKind("num"), "s": MeasureKind("num", snapshot=True), "d": MeasureKind("date")}
    kinds |= {"later": MeasureKind("date"), "days": MeasureKind("set")}
    return values.People(3, WEEK, atoms, kinds, 0)


def _told(found: values.Value, size: int) -> list:
    data, there = found.of_all(size)
    return [value if known else None for value, known in zip(data.tolist(), there, strict=True)]


def _sums() -> Iterator[tuple[str, bool]]:
    """Slices of two subscribers and of nobody, whose a is of a version."""
    people, leaf = _people(), Leaf("sum", Name("a"))
    plans = SimpleNamespace(summed={leaf: "leaf_0"}, stands={("leaf_0",): "stands_0"})
    names = bucket.Coded(["web", "app"], np.array([0, 1, 0]))
    slices = bucket.Coded(["channel", "os", "version"], np.array([0, 0, 2]))
    known, present = np.array([True, True, False]), np.ones(3, np.bool_)
    by_event = cells.of_events(slices, names)
    found = cells.summed(people, plans, by_event, present, known).to_pylist()
    told = {(row["slice"], row["slice_value"]): (row["leaf_0"], row["stands_0"]) for row in found}
    want = {("channel", "web"): (0, 0), ("channel", "app"): (2, 1), ("version", "web"): (5, 0)}
    yield "sums of slices, and who stands behind them", told == want
    yield "everybody has a number", people.leaf(Leaf("count", Name("a"))).tolist() == [1, 1, 1]
    areas = cells.of_attributes({"area": bucket.Coded(["north"], np.array([0, -1, 0]))}, np.arange(3))
    strata = cells.summed(people, plans, cells.of_strata(areas, names, "campaign_id"), present, known).to_pylist()
    told = {(row["campaign_id"], row["slice"], row["slice_value"]): row["leaf_0"] for row in strata}
    of_web = {("web", "all", "all"): 5, ("web", "area", "north"): 5}
    of_app = {("app", "all", "all"): 2, ("app", "area", "unknown"): 2}
    yield "sums of strata", told == of_web | of_app
