"""What runs in the workers on Arrow batches: moments and histograms add up whatever the batches."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from visitgrain.churn.drift import drift_of, psi, psi_by_chance, reference
from visitgrain.churn.histograms import _counted
from visitgrain.churn.moments import _parts

JUNE, JULY = date(2025, 6, 1), date(2025, 7, 1)
NAN = float("nan")
ROWS = pa.table(
    {
        "month": pa.array([JUNE, JUNE, JUNE, JULY, JULY], pa.date32()),
        "group": ["high", "high", "low", "high", "high"],
        "visits": pa.array([1.0, 3.0, 5.0, None, NAN], pa.float64()),
        "age": pa.array([20.0, None, 30.0, 40.0, 50.0], pa.float64()),
        "area": ["A", None, "B", "A", "A"],
    }
)


def with_empty(size: int) -> list[pa.RecordBatch]:
    """The rows in batches of so many, and one without rows."""
    return [*ROWS.to_batches(max_chunksize=size), pa.RecordBatch.from_pylist([], ROWS.schema)]


def summed(parts, keys: tuple[str, ...], values: tuple[str, ...]) -> dict[tuple, tuple]:
    found: dict[tuple, tuple] = {}
    for row in (row for part in parts for row in part.to_pylist()):
        key = tuple(row[name] for name in keys)
        found[key] = tuple(a + row[v] for a, v in zip(found.get(key, (0,) * len(values)), values, strict=True))
    return found


@pytest.mark.parametrize("size", [1, 2, 5])
def test_moments(size):
    parts = _parts(with_empty(size), numbers=["visits", "age"], attributes=["area"])
    found = summed(parts, ("month", "group", "feature"), ("n", "total", "squares"))
    assert found == {
        (JUNE, "high", "visits"): (2, 4, 10),
        (JUNE, "high", "age"): (1, 20, 400),
        (JUNE, "high", "area"): (1, 0, 0),
        (JUNE, "high", "area=A"): (0, 1, 1),
        (JUNE, "low", "visits"): (1, 5, 25),
        (JUNE, "low", "age"): (1, 30, 900),
        (JUNE, "low", "area"): (1, 0, 0),
        (JUNE, "low", "area=B"): (0, 1, 1),
        (JULY, "high", "visits"): (0, 0, 0),  # null and nan are no values
        (JULY, "high", "age"): (2, 90, 4100),
        (JULY, "high", "area"): (2, 0, 0),
        (JULY, "high", "area=A"): (0, 2, 2),
    }


@pytest.mark.parametrize("size", [1, 2, 5])
def test_histograms_count_the_bins_of_the_reference(size):
    before = reference([1.0, 2.0, 3.0, 4.0])
    found = summed(_counted(with_empty(size), references={"visits": before}), ("month", "name", "bin"), ("n",))
    last = len(before.counts) - 1
    june = before.count([1.0, 3.0, 5.0])
    assert found == {(JUNE, "visits", place): (n,) for place, n in enumerate(june.tolist()) if n} | {
        (JULY, "visits", last): (2,)
    }


def test_no_rows_give_nothing():
    assert list(_counted([], references={"visits": reference([1.0])})) == []
    assert list(_counted(with_empty(5)[1:], references={"visits": reference([1.0])})) == []


def test_a_psi_of_counts_is_that_of_the_values():
    before, now = reference(np.arange(1000.0)), np.arange(200.0, 900.0)
    assert drift_of(before, before.count(now), 0.2) == (pytest.approx(psi(before, now)), 0.2)


def test_few_rows_drift_by_chance():
    """Samples of one distribution stay under; of 40 rows that is far beyond the limit of 0.3, of 4,000 it is not."""
    random = np.random.default_rng(0)
    before = reference(random.normal(size=5000))
    samples = [random.normal(size=40) for _ in range(200)]
    at_most = psi_by_chance(before.counts, before.count(samples[0]))
    assert at_most > 0.3
    assert np.mean([psi(before, sample) > 0.3 for sample in samples]) > 0.1
    assert np.mean([psi(before, sample) > at_most for sample in samples]) < 0.02
    # chi-squared with 9 degrees: 99.9 % lie below 27.877
    assert psi_by_chance([500] * 10, [400] * 10) == pytest.approx(27.877 * (1 / 5000 + 1 / 4000), rel=1e-4)
    assert psi_by_chance([5, 0], [7, 0]) == 0
