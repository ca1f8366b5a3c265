"""From raw scores to probabilities: Platt's sigmoid, isotonic regression or nothing, whichever holds best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from visitgrain.churn.quality import CLIP, Floats, checked, log_losses

CANDIDATES = ("none", "platt", "isotonic")  # the simpler first: of equals it is taken


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted map of raw scores to probabilities; never reverses their order.

    `shift`: log-odds that are added at the end, see `levelled`. `log_losses`: cross-fitted log-loss of each candidate,
    where there was a choice.
    """

    how: str
    slope: float = 1.0
    intercept: float = 0.0
    raw: tuple[float, ...] = ()
    probability: tuple[float, ...] = ()
    shift: float = 0.0
    log_losses: dict[str, float] = field(default_factory=dict)

    def apply(self, raw: ArrayLike) -> Floats:
        """Probabilities 0-1 of raw scores 0-1."""
        mapped = self._mapped(np.asarray(raw, dtype=np.float64))
        return np.asarray(expit(_log_odds(mapped) + self.shift)) if self.shift else mapped

    def _mapped(self, scores: Floats) -> Floats:
        if self.how == "platt":
            return np.asarray(expit(self.intercept + self.slope * _log_odds(scores)))
        if self.how == "isotonic":
            return np.interp(scores, self.raw, self.probability)
        return scores

    def levelled(self, raw: ArrayLike, y: ArrayLike) -> Calibration:
        """The same shape, moved so that the mean over these rows is what was observed.

        A map is fitted on scores of a model that had not seen the choosing months; the final model has, and knows their
        level already: moved twice, it would be wrong by as much as the level moved.
        """
        labels, scores = checked(y, raw)
        if self.how == "none" or not 0 < labels.mean() < 1:
            return self
        odds, wanted = _log_odds(self._mapped(scores)), labels.mean()
        shift = brentq(lambda moved: expit(odds + moved).mean() - wanted, -20, 20, xtol=1e-12)
        return replace(self, shift=float(shift))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Calibration:
        """What `to_dict` gave. Raises ValueError for an unknown kind, TypeError for an unknown key."""
        if saved.get("how") not in CANDIDATES:
            raise ValueError(f"calibration is one of {', '.join(CANDIDATES)}: found {saved.get('how')!r}")
        return cls(**{**saved, "raw": tuple(saved["raw"]), "probability": tuple(saved["probability"])})


def fit(raw: ArrayLike, y: ArrayLike, *, how: str = "best", month: ArrayLike | None = None) -> Calibration:
    """Calibration fitted on closed months that training did not use. `raw` holds scores 0-1, one per row.

    'best' fits each candidate on all months but one and predicts that one: isotonic regression would always win on the
    rows it was fitted on. It takes the simplest candidate whose log-loss over all months is within one standard error
    of the least (Breiman et al. 1984): a few months move by themselves, and a model that learnt the level of the last
    ones would be wrong by as much in the next.
    Raises ValueError for an unknown `how`, for raw scores outside 0-1, and for 'best' without two months.
    """
    labels, scores = checked(y, raw)
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(f"raw scores are 0-1: found {scores.min():g} to {scores.max():g}")
    if how in _FITS:
        return _FITS[how](scores, labels)
    if how != "best":
        raise ValueError(f"calibration is 'best' or one of {', '.join(CANDIDATES)}: found {how!r}")
    months = np.asarray([] if month is None else month)
    if len(np.unique(months)) < 2 or months.shape != labels.shape:
        raise ValueError("the best calibration is chosen across months: give the month of each row, two or more")
    rows = {name: log_losses(labels, _cross_fitted(name, scores, labels, months)) for name in CANDIDATES}
    losses = {name: float(own.mean()) for name, own in rows.items()}
    least = rows[min(losses, key=lambda name: losses[name])]
    simplest = next(name for name in CANDIDATES if _within_chance(rows[name] - least, months))
    chosen = _FITS[simplest](scores, labels)
    return replace(chosen, log_losses=losses)


def _within_chance(excess: Floats, month: np.ndarray[Any, Any]) -> bool:
    """Whether the mean excess of log-loss is within one standard error, of rows or of months, whichever is larger."""
    _, code = np.unique(month, return_inverse=True)
    by_month = np.bincount(code, excess) / np.bincount(code)
    errors = [values.std(ddof=1) / np.sqrt(len(values)) for values in (excess, by_month)]
    return bool(excess.mean() <= max(errors))


def _cross_fitted(how: str, raw: Floats, y: Floats, month: np.ndarray[Any, Any]) -> Floats:
    predicted = np.empty_like(raw)
    for one in np.unique(month):
        inside = month == one
        predicted[inside] = _FITS[how](raw[~inside], y[~inside]).apply(raw[inside])
    return predicted


def _none(raw: Floats, y: Floats) -> Calibration:
    return Calibration("none")


def _platt(raw: Floats, y: Floats) -> Calibration:
    """Logistic regression on the log-odds of the raw score; slope 1 and intercept 0 change nothing.

    Targets are drawn in as in Platt 1999, so that separable labels have a solution; the slope is not below 0.
    """
    silent = y.sum()
    others = len(y) - silent
    target = np.where(y == 1, (silent + 1) / (silent + 2), 1 / (others + 2))
    odds = _log_odds(raw)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        linear = parameters[0] + parameters[1] * odds
        error = expit(linear) - target
        mean_loss = np.mean(np.logaddexp(0, linear) - target * linear)
        return float(mean_loss), np.array([error.mean(), (error * odds).mean()])

    found = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(None, None), (0, None)])
    intercept, slope = found.x.tolist()
    return Calibration("platt", slope=slope, intercept=intercept)


def _isotonic(raw: Floats, y: Floats) -> Calibration:
    """The best non-decreasing steps, joined by lines. Not 0 or 1: n rows never prove that something cannot happen."""
    margin = 1 / (len(y) + 2)
    fitted = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip").fit(raw, y)
    return Calibration(
        "isotonic", raw=tuple(fitted.X_thresholds_.tolist()), probability=tuple(fitted.y_thresholds_.tolist())
    )


def _log_odds(raw: Floats) -> Floats:
    return np.asarray(logit(np.clip(raw, CLIP, 1 - CLIP)))


_FITS = {"none": _none, "platt": _platt, "isotonic": _isotonic}
