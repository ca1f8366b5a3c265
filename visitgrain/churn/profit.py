"""What a score is worth: profit of a retention campaign by how many it addresses, and its expectation, EMPC.

T. Verbraken, W. Verbeke, B. Baesens, A novel profit maximizing metric for measuring classification performance of
customer churn prediction models, IEEE TKDE 25(5), 2013. Default amounts in the ratios of R's EMP::empChurn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression
from scipy.stats import beta

from visitgrain.churn.quality import Floats, cumulated

ACCEPTANCE = (6, 14)  # Beta distribution of the share of silent ones whom the offer keeps; mean 0.3
MIDPOINTS = 4001


@dataclass(frozen=True, slots=True)
class Amounts:
    """In fen: what a kept subscriber is worth, what the offer costs, what addressing one costs.

    Raises ValueError unless value > 0 and costs >= 0.
    """

    value_fen: float = 20_000
    offer_fen: float = 1_000
    contact_fen: float = 100

    def __post_init__(self) -> None:
        if not (self.value_fen > 0 and self.offer_fen >= 0 and self.contact_fen >= 0):
            raise ValueError(f"amounts are in fen, value above 0 and costs not below: {self}")

    def profit(self, acceptance: Floats | float, silent: Floats, others: Floats) -> Floats:
        """Fen per subscriber if `silent` and `others`, both shares of everybody, are addressed.

        The contact is paid for everybody addressed, the offer by those who take it: `acceptance` of the silent ones,
        who are then worth their value, and all others, who would have stayed anyway.
        """
        kept = acceptance * (self.value_fen - self.offer_fen) - self.contact_fen
        return np.asarray(kept * silent - (self.offer_fen + self.contact_fen) * others)


class ExpectedProfit(NamedTuple):
    """EMPC in fen per subscriber, and the share of subscribers (0-1) to address for it."""

    profit_fen: float
    share: float


class ProfitPoint(NamedTuple):
    """Fen per subscriber, at mean acceptance, if the highest `share` of scores is addressed."""

    share: float
    profit_fen: float


def empc(y: ArrayLike, p: ArrayLike, amounts: Amounts | None = None) -> ExpectedProfit:
    """The profit at the best threshold, which may be nobody, in expectation over acceptance ~ Beta(6, 14).

    Integrated over 4,001 midpoints. Depends on the order of scores only.
    """
    silent, others = _hull(y, p)
    acceptance = (np.arange(MIDPOINTS) + 0.5) / MIDPOINTS
    density = beta.pdf(acceptance, *ACCEPTANCE) / MIDPOINTS
    profits = (amounts or Amounts()).profit(acceptance[:, None], silent, others)
    best = profits.argmax(axis=1)
    return ExpectedProfit(float(density @ profits.max(axis=1)), float(density @ (silent + others)[best]))


def _hull(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    """Shares of silent ones and others at the thresholds that can be best: the corners of the ROC curve's convex hull.

    Profit is linear in both, so that no other threshold is better. The hull is where isotonic regression of y on
    the score pools its blocks (Fawcett & Niculescu-Mizil 2007).
    """
    rows, silent = cumulated(y, p)
    size = np.diff(rows)
    corners = isotonic_regression(np.diff(silent) / size, weights=size, increasing=False).blocks
    return silent[corners] / rows[-1], (rows - silent)[corners] / rows[-1]


def profit_curve(y: ArrayLike, p: ArrayLike, amounts: Amounts | None = None, points: int = 101) -> list[ProfitPoint]:
    """Profit at `points` even shares from nobody to everybody. Among equal scores the silent ones are spread evenly."""
    rows, silent = cumulated(y, p)
    shares = np.linspace(0, 1, points)
    caught = np.interp(shares, rows / rows[-1], silent / rows[-1])
    mean = ACCEPTANCE[0] / sum(ACCEPTANCE)
    profits = (amounts or Amounts()).profit(mean, caught, shares - caught)
    return [ProfitPoint(float(share), float(profit)) for share, profit in zip(shares, profits, strict=True)]
