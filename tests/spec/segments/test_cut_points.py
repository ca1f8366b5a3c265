"""Cut points: exact terciles of the base, fixed ones, and who freezes them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.table_rows import arrow_rows, read_rows, rows_to_arrow
from visitgrain.catalogue.segment_models import load_segment_models
from visitgrain.segments.cut_points import cut_points, three_digits, value_counts
from visitgrain.tables.segmentation import MONTH_FEATURES, SEGMENT_CUT_POINTS

MARCH = date(2025, 3, 1)
MODELS = load_segment_models(Path(__file__).parents[3] / "conf" / "catalogue" / "segments")

# Nine subscribers in service. Ages 20, 21, … 28: three each below 23 and 26. ARPU has ties: five times 3900 below 5900.
# DOU is the same for all. Subscriber 10 is not in service: its extreme values count nowhere, but its visits do.
FEATURES = """
subscriber_id | in_service | has_snapshot | age | arpu_fen | dou_mb | visits | mean_interval_days
1             | yes        | yes          | 20  | 3900     | 512    | 1      | 31
2             | yes        | yes          | 21  | 3900     | 512    | 2      | 12.344
3             | yes        | yes          | 22  | 3900     | 512    | 3      | 12.346
4             | yes        | yes          | 23  | 3900     | 512    | 0      | -
5             | yes        | yes          | 24  | 3900     | 512    | 0      | -
6             | yes        | yes          | 25  | 5900     | 512    | 0      | -
7             | yes        | yes          | 26  | 5900     | 512    | 0      | -
8             | yes        | yes          | 27  | 9900     | 512    | 0      | -
9             | yes        | yes          | 28  | 9900     | 512    | 0      | -
10            | no         | yes          | 99  | 1        | 9      | 4      | 5
"""
SCORES = {1: 10.0, 2: 10.0, 3: 20.0, 10: 30.0}  # 1/3 of 4 = 1.33: below 20 are 2, below 30 are 3 >= 2.67

HISTORY = """
month      | model     | version | axis      | low | high | method    | fitted_on  | subscribers
2025-01-01 | behaviour | 1       | frequency | 7   | 9    | terciles  | 2025-01-01 | 50
2025-02-01 | behaviour | 1       | frequency | 7   | 9    | terciles  | 2025-01-01 | 50
2025-02-01 | behaviour | 0       | recency   | 1   | 2    | terciles  | 2025-02-01 | 50
2025-02-01 | behaviour | 1       | value     | -   | -    | terciles  | 2025-02-01 | 0
"""
COLUMNS = ("axis", "low", "high", "method", "fitted_on", "subscribers")


@pytest.fixture(scope="module")
def counts():
    """Of two parts of the base, as of two tasks."""
    rows = [
        {**row, "score": {"general": SCORES.get(row["subscriber_id"], 0.0)}}
        for row in read_rows(MONTH_FEATURES, FEATURES)
    ]
    parts = [rows_to_arrow(MONTH_FEATURES, part) for part in (rows[:4], rows[4:])]
    return pa.concat_tables([value_counts(part, MODELS) for part in parts])


def with_axis(model: str, place: int, **changes):
    """The shipped models with one axis changed."""
    axes = list(MODELS[model].axes)
    axes[place] = type(axes[place]).model_validate({**axes[place].model_dump(), **changes})
    return {**MODELS, model: MODELS[model].model_copy(update={"axes": tuple(axes)})}


def of_axis(axis: str, cut: pa.Table) -> pa.Table:
    return cut.filter(pc.equal(cut["axis"], axis))


def test_terciles_of_the_base(counts):
    cut = cut_points(counts, [], MODELS, MARCH)
    assert cut.column_names == SEGMENT_CUT_POINTS.column_names
    assert arrow_rows(cut, *COLUMNS) == [
        ("age", 23.0, 26.0, "terciles", MARCH, 9),  # 3 of 9 below 23, 6 of 9 below 26
        ("arpu", 5900.0, 9900.0, "terciles", MARCH, 9),  # 5 of 9 below 5900 >= 3; 7 of 9 below 9900 >= 6
        ("dou", None, None, "terciles", MARCH, 9),  # one value only: nobody is above it
        ("frequency", 3.0, 4.0, "terciles", MARCH, 4),  # 1 of 4 below 2 is too few; 2 below 3; 3 below 4
        ("recency", 31.0, None, "terciles", MARCH, 4),  # 5, 12.3, 12.3, 31: 1 below 12.3 is too few, 3 below 31
        ("value", 20.0, 30.0, "terciles", MARCH, 4),
    ]


def test_the_first_fit_is_frozen_for_its_version(counts):
    """Frequency is frozen since January. Recency's fit is of another version, value's was on nobody: fitted anew."""
    cut = cut_points(counts, read_rows(SEGMENT_CUT_POINTS, HISTORY), MODELS, MARCH)
    behaviour = cut.filter(pc.equal(cut["model"], "behaviour"))
    assert arrow_rows(behaviour, "axis", "low", "high", "fitted_on", "subscribers") == [
        ("frequency", 7.0, 9.0, date(2025, 1, 1), 50),
        ("recency", 31.0, None, date(2025, 3, 1), 4),
        ("value", 20.0, 30.0, date(2025, 3, 1), 4),
    ]


def test_fits_before_fit_month_do_not_bind(counts):
    models = with_axis("behaviour", 1, fit_month="2025-02")
    cut = cut_points(counts, read_rows(SEGMENT_CUT_POINTS, HISTORY), models, MARCH)
    assert arrow_rows(of_axis("frequency", cut), "low", "fitted_on") == [(3.0, MARCH)]


def test_fixed_cut_points_are_taken_as_they_are(counts):
    models = with_axis("behaviour", 1, fit=None, fixed=(2, 5))
    cut = cut_points(counts, read_rows(SEGMENT_CUT_POINTS, HISTORY), models, MARCH)
    assert arrow_rows(of_axis("frequency", cut), *COLUMNS) == [("frequency", 2.0, 5.0, "fixed", None, 0)]


@pytest.mark.parametrize("counted", [None, value_counts(rows_to_arrow(MONTH_FEATURES, []), MODELS)])
def test_nobody_to_fit_on(counted):
    assert arrow_rows(cut_points(counted, [], MODELS, MARCH), "axis", "low", "subscribers") == [
        (axis, None, 0) for axis in ("age", "arpu", "dou", "frequency", "recency", "value")
    ]


def test_three_significant_digits():
    values = np.array([0.0, 12.344, 12.35, 0.0012345, 98765.0, 1000.0, 999.6, -4567.0])
    assert three_digits(values).tolist() == [0.0, 12.3, 12.4, 0.00123, 98800.0, 1000.0, 1000.0, -4570.0]
