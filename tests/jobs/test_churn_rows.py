"""What a model is trained on is what it scores: rows joined in Spark, and rows read and joined in the workers."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from tests.jobs.runtime_world import context
from tests.table_rows import rows_to_frame
from visitgrain.churn.model_rows import KEY, feature_set, rows_of
from visitgrain.churn.row_files import metrics_in, rows_in_files
from visitgrain.tables.churning import CHURN_FEATURES
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
NAMES = ("pages_per_visit_r30", "recency", "pages_per_visit_r90", "ev_30")
PEOPLE = 40


def features(month: date) -> list[dict]:
    """Every fifth subscriber is silent already, every seventh gone, every third has no recency."""
    fixed = dict.fromkeys(CHURN_FEATURES.column_names) | {
        "month": month,
        "known_through": pa.scalar(0, pa.timestamp("us", "UTC")).as_py(),
    }
    return [
        fixed
        | {"subscriber_id": who, "active": who % 5 > 0, "gone": who % 7 == 0, "ev_30": who / 7}
        | {"recency": None if who % 3 == 0 else who * 1.5}
        for who in range(PEOPLE)
    ]


def metrics(window: str, end: date, factor: int) -> list[dict]:
    """Of the odd ones."""
    known = dict.fromkeys(SUBSCRIBER_METRICS.column_names) | {
        "window": window,
        "window_start": end,
        "window_end": end,
        "catalogue_hash": "h",
    }
    known["complete_through"] = pa.scalar(0, pa.timestamp("us", "UTC")).as_py()
    return [known | {"subscriber_id": who, "pages_per_visit": float(factor * who)} for who in range(1, PEOPLE + 9, 2)]


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    lake = context(spark, tmp_path_factory.mktemp("rows") / "lake").lake
    rows = [*features(MARCH), *features(APRIL)]
    lake.replace(CHURN_FEATURES, rows_to_frame(spark, CHURN_FEATURES, rows), window=None, run_id="r")
    told = [
        *metrics("r30", date(2026, 3, 31), 1),
        *metrics("r90", date(2026, 3, 31), 2),
        *metrics("r7", date(2026, 3, 31), 4),  # a window that is none of the features
        *metrics("r30", date(2026, 3, 30), 8),  # one that does not end with the month
        *metrics("r30", date(2026, 4, 30), 16),
    ]
    lake.replace(SUBSCRIBER_METRICS, rows_to_frame(spark, SUBSCRIBER_METRICS, told), window=None, run_id="r")
    return lake


def in_workers(lake, names, *, active) -> list[dict]:
    files = lake.files(CHURN_FEATURES), lake.files(SUBSCRIBER_METRICS)
    rows = rows_in_files(*files, names, ("r30", "r90"), active=active)

    function = rows.function

    def batches(batches):
        for table in function(batches):
            yield from table.to_batches()

    schema = "subscriber_id bigint, month date, " + ", ".join(f"{name} double" for name in names)
    return rows.frame.mapInArrow(batches, schema).orderBy(*KEY).toArrow().to_pylist()


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("names", [NAMES, ("ev_30", "recency")], ids=["with metrics", "habits alone"])
def test_both_ways_give_the_same_rows(lake, names, active):
    catalogue = context(lake.spark, lake.store.local_path("")).catalogue
    assert {"r30", "r90"} <= set(catalogue.churn.metric_windows)
    assert set(NAMES) <= set(feature_set(catalogue).names)
    there = rows_of(lake.read(CHURN_FEATURES), lake.read(SUBSCRIBER_METRICS), catalogue, active=active)
    expected = there.select(*KEY, *names).orderBy(*KEY).toArrow().to_pylist()
    assert in_workers(lake, names, active=active) == expected
    who = {row["subscriber_id"] for row in expected}
    assert who == {one for one in range(PEOPLE) if (one % 5 > 0) == active and one % 7}
    if names is NAMES and active:
        (row,) = (row for row in expected if (row["subscriber_id"], row["month"]) == (11, MARCH))
        assert (row["pages_per_visit_r30"], row["pages_per_visit_r90"], row["recency"]) == (11, 22, 16.5)
        assert [r["pages_per_visit_r30"] for r in expected if r["subscriber_id"] == 11] == [11, 176]  # April: 16 x 11


def test_metrics_by_window():
    assert metrics_in(("recency", "a_r30", "b_r90", "c_r30"), ("r30", "r90")) == {"r30": ["a", "c"], "r90": ["b"]}
    assert metrics_in(("recency", "ev_30"), ("r30",)) == {}
