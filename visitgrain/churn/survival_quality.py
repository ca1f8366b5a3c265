"""How good hazards are: discrimination and error at a week and over all weeks, with censoring weighted out.

`weeks` and `event` as of survival.Spells. A row counts by the inverse of its probability of being followed for long
enough (IPCW; Graf et al. 1999, Stat. Med. 18:2529). Cut-offs near the end of the data are followed for less, whoever
the subscriber is: censoring tells nothing of silence, as the weights need. A measure is nan where nothing defines it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visitgrain.churn.quality import NAN, Floats
from visitgrain.churn.survival import Counts

Flags = NDArray[np.bool_]


def followed(weeks: Counts, event: Flags) -> Floats:
    """P(followed for at least k whole weeks), k = 0, 1, ..., max(weeks) + 1: Kaplan-Meier of the censoring.

    Who is censored after k weeks is known for k and not for k + 1; who goes silent in week k + 1 was followed for it.
    """
    last = int(weeks.max(initial=0)) + 1
    at_risk = np.cumsum(np.bincount(weeks, minlength=last + 1)[::-1])[::-1][:last]
    lost = np.bincount(weeks, weights=~event, minlength=last)[:last]
    return np.concatenate([[1.0], np.cumprod(1 - lost / np.maximum(at_risk, 1))])


def kaplan_meier(weeks: Counts, event: Flags, horizon: int) -> Floats:
    """P(not silent after 1, ..., horizon weeks) of everybody alike: what a model without features says."""
    week = np.arange(horizon)
    known = np.array([((weeks > w) | (event & (weeks == w))).sum() for w in week])
    begun = np.bincount(weeks[event & (weeks < horizon)], minlength=horizon)
    return np.asarray(np.cumprod(1 - begun / np.maximum(known, 1)))


def auc_within(weeks: Counts, event: Flags, risk: Floats, week: int) -> float:
    """Who goes silent within `week` weeks against who does not: P(higher risk), ties half.

    Cumulative/dynamic AUC (Hung, Chiang 2010, Can. J. Stat. 38:8).
    """
    case, control = event & (weeks < week), weeks >= week
    if not case.any() or not control.any():
        return NAN
    weight = 1 / followed(weeks, event)[weeks[case] + 1]
    return float(np.average(_share_below(risk[case], np.sort(risk[control])), weights=weight))


def c_index(weeks: Counts, event: Flags, risk: Floats, horizon: int) -> float:
    """Who goes silent earlier has the higher risk: share of pairs that can be compared within `horizon`, ties half.

    A pair counts 1 / followed^2 at its earlier week (Uno et al. 2011, Stat. Med. 30:1105).
    """
    share = followed(weeks, event)
    right = total = 0.0
    for week in range(horizon):
        case, later = event & (weeks == week), weeks > week
        if case.any() and later.any():
            pairs = case.sum() * later.sum() / share[week + 1] ** 2
            right += pairs * _share_below(risk[case], np.sort(risk[later])).mean()
            total += pairs
    return float(right / total) if total else NAN


def brier_within(weeks: Counts, event: Flags, p_silent: Floats, week: int) -> float:
    """Weighted mean of (p - begun within `week` weeks)^2; p_silent of each row."""
    share = followed(weeks, event)
    case, control = event & (weeks < week), weeks >= week
    if week >= len(share) or not share[week]:
        return NAN
    missed = ((1 - p_silent[case]) ** 2 / share[weeks[case] + 1]).sum()
    return float((missed + (p_silent[control] ** 2).sum() / share[week]) / len(weeks))


def integrated_brier(weeks: Counts, event: Flags, survival: Floats) -> float:
    """Mean of `brier_within` over the weeks of `survival` (rows, weeks) that anybody was followed for."""
    found = np.array([brier_within(weeks, event, 1 - survival[:, w - 1], w) for w in range(1, survival.shape[1] + 1)])
    return float(np.nanmean(found)) if not np.isnan(found).all() else NAN


def _share_below(values: Floats, ordered: Floats) -> Floats:
    below, through = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((below + through) / (2 * len(ordered)))
