"""Gamma-Gamma: the money of a customer's mean purchase, shrunk towards that of all.

Fader & Hardie (2013), "The Gamma-Gamma model of monetary value", brucehardie.com/notes/025. Purchases of one customer
are Gamma(p, nu) with nu ~ Gamma(q, v) over customers, independent of how often they buy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, psi

from visitgrain.value.likelihood import Array, TooLittle, collapsed, maximised

# Of the logarithms of p, q and of v in units of the mean value. Without q > 1 the mean of all would be infinite.
BOUNDS = [(-8.0, 8.0), (0.001, 8.0), (-8.0, 8.0)]
STARTS = ((1.0, 2.0, 1.0), (6.0, 4.0, 0.5))


@dataclass(frozen=True)
class GammaGamma:
    """A fitted model. `v` is in the unit of money; `customers` is the sum of weights it was fitted on."""

    p: float
    q: float
    v: float
    log_likelihood: float
    customers: float

    @property
    def population_mean(self) -> float:
        return self.p * self.v / (self.q - 1)

    def expected_value(self, x: ArrayLike, mean_value: ArrayLike) -> Array:
        """Expected money of a future purchase after `x` of them with that mean.

        The population's mean where x is 0, whatever `mean_value` is there. A mean below 0 (returns) counts as 0.
        """
        x, mean_value = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(mean_value, dtype=float))
        spent = np.where(x > 0, x * np.maximum(mean_value, 0), 0.0)
        return self.p * (self.v + spent) / (self.p * x + self.q - 1)

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> GammaGamma:
        return cls(**values)


def fit(x: ArrayLike, mean_value: ArrayLike, weights: ArrayLike | None = None) -> GammaGamma:
    """The model of greatest likelihood. `x`: purchases that `mean_value` is the mean of.

    Customers without a purchase or with a mean that is not positive say nothing about the model and are left out.
    Raises TooLittle when nobody is left, and where all have the same mean: there is nothing to tell apart.
    """
    x, mean_value = np.asarray(x, dtype=float), np.asarray(mean_value, dtype=float)
    known = (x > 0) & (mean_value > 0)
    weights = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=float)
    rows = collapsed(weights[known], x=x[known], mean_value=mean_value[known])
    if len(np.unique(rows["mean_value"])) < 2:
        raise TooLittle("fewer than two different mean values above 0; fit on more customers")
    unit = float(np.average(rows["mean_value"], weights=rows["weights"]))
    values = rows["mean_value"] / unit

    def likelihood(parameters: Array) -> tuple[Array, tuple[Array, ...]]:
        p, q, v = parameters
        return log_likelihoods(p, q, v, rows["x"], values)

    (p, q, v), total = maximised(likelihood, rows["weights"], starts=STARTS, bounds=BOUNDS)
    customers = float(rows["weights"].sum())
    # The density is one of money: in another unit it is divided by the unit.
    return GammaGamma(float(p), float(q), float(v) * unit, total - customers * float(np.log(unit)), customers)


def log_likelihoods(p: float, q: float, v: float, x: Array, mean_value: Array) -> tuple[Array, tuple[Array, ...]]:
    """Of each customer with x > 0 and mean_value > 0, and its derivatives by p, q and v."""
    counts, place = np.unique(x, return_inverse=True)
    px = p * counts
    log_sum = np.log(v + x * mean_value)
    common = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(v)
    log_spent = np.log(x * mean_value)
    rows = common[place] + p * x * log_spent - np.log(mean_value) - (p * x + q) * log_sum
    with_q = psi(px + q)
    slopes = (
        x * ((with_q - psi(px))[place] + log_spent - log_sum),
        (with_q - psi(q) + np.log(v))[place] - log_sum,
        q / v - (p * x + q) / (v + x * mean_value),
    )
    return rows, slopes
