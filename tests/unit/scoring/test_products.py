"""Sums of products, correlations and ridge weights, on numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from visitgrain.scoring.products import correlation, covariances, products, ridge_weights

# one, a, b, target
PEOPLE = np.array([[1, 0, 2, 0], [1, 1, 0, 0], [1, 2, 1, 1], [1, 3, 3, 1]], dtype=np.int64)


def batches(rows: np.ndarray, *cuts: int):
    for part in np.split(rows, cuts):
        yield pa.RecordBatch.from_arrays([pa.array(column) for column in part.T], names=list("1abt"))


def summed(rows: np.ndarray, *cuts: int) -> np.ndarray:
    total = np.zeros((4, 4))
    for batch in products(batches(rows, *cuts)):
        total[batch["i"].to_numpy(), batch["j"].to_numpy()] += batch["total"].to_numpy()
    return total


def test_sums_of_products_do_not_depend_on_batches():
    assert summed(PEOPLE).tolist() == [
        [4, 6, 6, 2],  # people; sums of a, b, target
        [6, 14, 11, 5],  # a * a = 1 + 4 + 9; a * b = 2 + 9; a * target = 2 + 3
        [6, 11, 14, 4],
        [2, 5, 4, 2],
    ]
    assert (summed(PEOPLE, 1, 3) == summed(PEOPLE)).all()


def test_an_empty_partition_says_nothing():
    assert list(products(iter(()))) == []


def test_correlation():
    covariance = covariances(summed(PEOPLE))
    # cov(a, target) = 5/4 - 6/4 * 2/4 = 0.5; var(a) = 14/4 - (6/4)^2 = 1.25; var(target) = 1/2 - 1/4
    assert covariance[0].tolist() == [1.25, 11 / 4 - 9 / 4, 0.5]
    assert correlation(0.5, 1.25, 0.25) == pytest.approx(0.5 / (1.25 * 0.25) ** 0.5)
    assert correlation(0.0, 0.0, 0.25) is None


def test_ridge_weights_are_those_of_augmented_least_squares():
    """Ridge = least squares on standardised columns with sqrt(n * ridge) * I appended as further observations."""
    ridge, n = 0.3, len(PEOPLE)
    raw, target = PEOPLE[:, 1:3].astype(float), PEOPLE[:, 3].astype(float)
    standard = (raw - raw.mean(0)) / raw.std(0)
    rows = np.vstack([standard, np.sqrt(n * ridge) * np.eye(2)])
    solved = np.linalg.lstsq(rows, np.append(target - target.mean(), [0, 0]), rcond=None)[0] / raw.std(0)
    expected = solved * 7 / np.abs(solved).sum()
    covariance = covariances(summed(PEOPLE))
    found = ridge_weights(covariance[:2, :2], covariance[:2, 2], ridge=ridge, size=7)
    assert found == pytest.approx(expected)
    assert np.abs(found).sum() == pytest.approx(7)


def test_a_behaviour_that_never_varies_gets_nothing():
    covariance = np.array([[1.25, 0.0], [0.0, 0.0]])
    assert ridge_weights(covariance, np.array([0.5, 0.0]), ridge=0.1, size=3).tolist() == pytest.approx([3, 0])
    assert ridge_weights(np.zeros((2, 2)), np.zeros(2), ridge=0.1, size=3) is None
    assert ridge_weights(covariance, np.zeros(2), ridge=0.1, size=3) is None
