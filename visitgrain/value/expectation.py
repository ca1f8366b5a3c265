"""Expected purchases of a BG/NBD customer who is still there: closed form, or a Gauss rule where that fails."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import hyp2f1

from visitgrain.value.likelihood import Array

MOST_A = 5.0  # from here on powers of 1 - z and 2F1 leave the range of doubles, and the quadrature is exact
_POLE = 1e-6  # nearer to a = 1 or, without a repeat, to a + b = 1 the closed form is 0 / 0
_NODES = 32


def expected_if_alive(r: float, alpha: float, a: float, b: float, t: Array, x: Array, T: Array) -> Array:
    """Mean of (1 - exp(-rate t p)) / p, rate ~ Gamma(r + x, alpha + T) and p ~ Beta(a, b + x): purchases within t."""
    ratio = t / (alpha + T)
    if a >= MOST_A:
        return _by_quadrature(r, a, b, ratio, x)
    found = _closed(r, a, b, t / (alpha + T + t), x)
    lost = ~np.isfinite(found)  # a great b, hardly any history, and a long horizon: 2F1 has no number
    found[lost] = _by_quadrature(r, a, b, ratio[lost], x[lost])
    return found


def _closed(r: float, a: float, b: float, z: Array, x: Array) -> Array:
    """Equation (10) of Fader, Hardie & Lee (2005).

    Its (1-z)^(r+x) 2F1(r+x, b+x; a+b+x-1; z) overflows for frequent customers. By Euler's transformation it is
    (1-z)^(a-1) 2F1(a-1, a+b-1-r; a+b+x-1; z): no parameter but the third grows with x, and the series gets shorter.
    """
    if min(abs(a - 1), abs(a + b - 1)) < _POLE:
        a += 2 * _POLE
    c = a + b + x - 1
    with np.errstate(invalid="ignore", over="ignore"):
        still = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a - 1, a + b - 1 - r, c, z)
    return np.asarray(np.maximum(c / (a - 1) * (1 - still), 0))


def _by_quadrature(r: float, a: float, b: float, ratio: Array, x: Array) -> Array:
    """The mean over p by Gauss-Jacobi, over the rate in closed form; `ratio` = t / (alpha + T)."""
    found = np.full(np.shape(x), np.nan)
    for count in np.unique(x[~np.isnan(x)]):
        rows = x == count
        p, weights = beta_nodes(a, b + count)
        left = -np.expm1(-(r + count) * np.log1p(np.multiply.outer(ratio[rows], p)))
        found[rows] = left @ (weights / p)
    return found


def beta_nodes(a: float, b: float) -> tuple[Array, Array]:
    """Nodes and weights (sum 1) of a Gauss rule for the mean over Beta(a, b), a > 1 and b > 0.

    Golub & Welsch (1969): eigenvalues of the recurrence of Jacobi polynomials, which needs no gamma function.
    """
    k = np.arange(1.0, _NODES)
    total = a + b - 2 + 2 * k  # of weight (1 - y)^(b - 1) (1 + y)^(a - 1) on (-1, 1), p = (1 + y) / 2
    diagonal = np.append((a - b) / (a + b), ((a - 1) ** 2 - (b - 1) ** 2) / (total * (total + 2)))
    squares = 4 * k * (k + a - 1) * (k + b - 1) * (k + a + b - 2) / (total**2 * (total + 1) * (total - 1))
    values, vectors = eigh_tridiagonal(diagonal, np.sqrt(squares))
    return (values + 1) / 2, vectors[0] ** 2
