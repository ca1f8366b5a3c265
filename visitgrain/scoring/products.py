"""Sums of products of a table of counts: all that correlations and a ridge regression need, in one small matrix.

Pure numpy; sums of whole numbers below 2**53 are exact in doubles, so the matrix does not depend on how rows are cut.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

PRODUCT_SCHEMA = "i int, j int, total double"


def products(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row (i, j, sum of column i x column j) per pair of columns, over all batches of the partition.

    The first column must be the constant 1: its products are the row count and the plain sums.
    """
    total = None
    for batch in batches:
        matrix = np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns]).astype(np.float64)
        part = matrix.T @ matrix
        total = part if total is None else total + part
    if total is not None:
        i, j = np.indices(total.shape, dtype=np.int32)
        yield pa.RecordBatch.from_arrays([i.ravel(), j.ravel(), total.ravel()], names=["i", "j", "total"])


def covariances(totals: np.ndarray) -> np.ndarray:
    """Population covariances, from sums of products whose first column is the constant 1; the constant is left out."""
    n = totals[0, 0]
    mean = totals[0, 1:] / n
    return totals[1:, 1:] / n - np.outer(mean, mean)


def correlation(covariance: float, variance_x: float, variance_y: float) -> float | None:
    """None where one side never varies."""
    if variance_x <= 0 or variance_y <= 0:
        return None
    return float(covariance / np.sqrt(variance_x * variance_y))


def ridge_weights(covariance: np.ndarray, with_target: np.ndarray, *, ridge: float, size: float) -> np.ndarray | None:
    """Weights of a ridge regression on standardised columns, in units of the raw columns, scaled to sum |w| = `size`.

    Solves (R + ridge I) b = r with R the correlations of the columns and r those with the (centred) target. A column
    that never varies gets 0; None when no weight is left.
    """
    deviation = np.sqrt(np.clip(np.diag(covariance), 0, None))
    varies = deviation > 0
    if not varies.any():
        return None
    scale = deviation[varies]
    standard = covariance[np.ix_(varies, varies)] / np.outer(scale, scale)
    solved = np.linalg.solve(standard + ridge * np.eye(len(scale)), with_target[varies] / scale) / scale
    total = np.abs(solved).sum()
    if total == 0:
        return None
    weights = np.zeros(len(deviation))
    weights[varies] = solved * size / total
    return weights
