"""BG/NBD: how often a customer comes back, and whether it still does.

Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2), 275-284. A customer buys at
a Poisson rate ~ Gamma(r, alpha) and leaves after any purchase with probability ~ Beta(a, b). Known of one: `x` repeat
purchases, `t_x` time of the last and `T` time of observation since the first purchase, all in one unit (weeks here).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln, psi

from visitgrain.value.expectation import expected_if_alive
from visitgrain.value.likelihood import Array, TooLittle, collapsed, maximised

BOUNDS = [(-8.0, 8.0)] * 4  # of the logarithms
STARTS = ((1.0, 3.0, 1.0, 3.0), (0.5, 5.0, 0.8, 2.5))


@dataclass(frozen=True)
class BgNbd:
    """A fitted model. `alpha` is in the unit of time; `customers` is the sum of weights it was fitted on."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    customers: float

    def alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """P(alive) at T; 1 without a repeat, so never a ranking: order by `expected`."""
        x, t_x, T = _checked(x, t_x, T)
        last = np.where(x > 0, self.b + x - 1, 1.0)
        log_odds = np.log(self.a / last) + (self.r + x) * np.log(
            (self.alpha + T) / (self.alpha + t_x)
        )  # of having left
        alive: Array = np.where(x == 0, 1.0, expit(-log_odds))  # NaN stays NaN
        return alive

    def expected(self, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Expected purchases within `t` after T, t = 0 or more; finite for every possible history."""
        x, t_x, T = _checked(x, t_x, T)
        times = np.broadcast_to(np.asarray(t, dtype=float), x.shape)
        return expected_if_alive(self.r, self.alpha, self.a, self.b, times, x, T) * self.alive(x, t_x, T)

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> BgNbd:
        return cls(**values)


def fit(x: ArrayLike, t_x: ArrayLike, T: ArrayLike, weights: ArrayLike | None = None) -> BgNbd:
    """The model of greatest likelihood. `weights`: how many customers have each (x, t_x, T); 1 each when None.

    Raises ValueError for impossible histories, TooLittle where nobody has a repeat: nothing can be told apart then.
    """
    x, t_x, T = _checked(x, t_x, T)
    rows = collapsed(weights, x=x, t_x=t_x, T=T)
    if not (rows["x"] > 0).any():
        raise TooLittle("nobody has a repeat purchase; fit on a longer history")

    def likelihood(parameters: Array) -> tuple[Array, tuple[Array, ...]]:
        r, alpha, a, b = parameters
        return log_likelihoods(r, alpha, a, b, rows["x"], rows["t_x"], rows["T"])

    (r, alpha, a, b), total = maximised(likelihood, rows["weights"], starts=STARTS, bounds=BOUNDS)
    return BgNbd(float(r), float(alpha), float(a), float(b), total, float(rows["weights"].sum()))


def log_likelihoods(
    r: float, alpha: float, a: float, b: float, x: Array, t_x: Array, T: Array
) -> tuple[Array, tuple[Array, ...]]:
    """Of each customer, and its derivatives by r, alpha, a and b."""
    counts, place = np.unique(x, return_inverse=True)  # gamma functions once per number of purchases
    common = gammaln(r + counts) - gammaln(r) + r * np.log(alpha) + gammaln(a + b) - gammaln(b)
    common += gammaln(b + counts) - gammaln(a + b + counts)
    stayed_log, left_log = np.log(alpha + T), np.log(alpha + t_x)
    repeats = x > 0
    last = np.where(repeats, b + x - 1, 1.0)
    stayed = -(r + x) * stayed_log
    left = np.where(repeats, np.log(a / last) - (r + x) * left_log, -np.inf)
    both = np.logaddexp(stayed, left)
    p = np.exp(left - both)  # chance that the last purchase was the end
    by_ab = psi(a + b) - psi(a + b + counts)
    slopes = (
        (psi(r + counts) - psi(r) + np.log(alpha))[place] - (1 - p) * stayed_log - p * left_log,
        r / alpha - (r + x) * ((1 - p) / (alpha + T) + p / (alpha + t_x)),
        by_ab[place] + p / a,
        (by_ab + psi(b + counts) - psi(b))[place] - p / last,
    )
    return common[place] + both, slopes


def _checked(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> tuple[Array, Array, Array]:
    x, t_x, T = np.broadcast_arrays(*(np.asarray(values, dtype=float) for values in (x, t_x, T)))
    if ((t_x > T) | ((x == 0) & (t_x > 0)) | (x < 0) | (t_x < 0)).any():
        raise ValueError("impossible history: 0 <= t_x <= T and x >= 0 must hold, and t_x = 0 where x = 0")
    return x, t_x, T
