"""Maximum likelihood of a model with positive parameters, over their logarithms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
# Parameters -> log-likelihood of each row, and its derivative by each parameter.
Likelihood = Callable[[Array], tuple[Array, Sequence[Array]]]


class TooLittle(ValueError):
    """The histories are valid, but there are too few different ones to fit the model."""


def collapsed(weights: ArrayLike | None, **columns: ArrayLike) -> dict[str, Array]:
    """Distinct rows of `columns`, sorted, with the sum of their weights (1 each when None) as `weights`.

    Customers with the same numbers have the same likelihood: tens of millions become as many rows as there are
    different histories. Raises ValueError for weights or values that are negative or not finite.
    """
    whole = pl.DataFrame({name: np.asarray(values, dtype=float) for name, values in columns.items()})
    whole = whole.with_columns(weights=pl.lit(1.0) if weights is None else np.asarray(weights, dtype=float))
    if not whole.select((pl.all().is_finite() & (pl.all() >= 0)).all()).to_numpy().all():
        raise ValueError(f"{', '.join(whole.columns)}: some are negative or not finite")
    rows = (
        whole.filter(pl.col("weights") > 0)
        .sort(*columns)
        .group_by(*columns, maintain_order=True)
        .agg(pl.sum("weights"))
    )
    return {name: rows[name].to_numpy() for name in rows.columns}


def maximised(
    likelihood: Likelihood, weights: Array, *, starts: Iterable[Sequence[float]], bounds: Sequence[tuple[float, float]]
) -> tuple[Array, float]:
    """Parameters with the greatest weighted log-likelihood, and that: L-BFGS-B from each start, the best end.

    `bounds` are those of the logarithms.
    """
    total = weights.sum()

    def loss(logs: Array) -> tuple[float, Array]:
        values = np.exp(logs)
        rows, slopes = likelihood(values)
        # Mean instead of sum: the tolerances mean the same for a thousand customers and for a million.
        slope = np.array([weights @ slope for slope in slopes]) * values
        return -float(weights @ rows) / total, -slope / total

    options = {"maxiter": 1_000, "ftol": 1e-14, "gtol": 1e-8}
    ends = [minimize(loss, np.log(s), jac=True, method="L-BFGS-B", bounds=bounds, options=options) for s in starts]
    best = min(ends, key=lambda end: float(end.fun))
    return np.exp(best.x), -float(best.fun) * float(total)
