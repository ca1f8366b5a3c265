"""How a model does on the months that it has not seen: numbers and tables, as they are logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visitgrain.churn.curves import confusion_at_tiers, deciles, gains, reliability
from visitgrain.churn.panel import Panel
from visitgrain.churn.profit import Amounts, empc, profit_curve
from visitgrain.churn.quality import Floats, auc, average_precision, ece, per_month, scorecard
from visitgrain.churn.resampling import interval
from visitgrain.churn.tiers import CutPoints, tier

SLICE_MINIMUM = 10  # rows of either class for an AUC of a slice
Rows = list[dict[str, Any]]


class Evaluation(NamedTuple):
    """Of the test rows: scalars by name, tables by name, and the calibrated scores themselves."""

    scalars: dict[str, float]
    tables: dict[str, Rows]
    scores: Floats


def evaluate(
    scores: Floats, test: Panel, slices: Mapping[str, NDArray[Any]], cut_points: CutPoints, amounts: Amounts
) -> Evaluation:
    """`scores` are calibrated, one per row of `test`; `slices` give each row's value by attribute."""
    y = test.y
    found = scorecard(y, scores)
    for name, measure in (("auc", auc), ("pr_auc", average_precision)):
        sure = interval(measure, y, scores, test.subscriber)
        found |= {f"{name}_low": sure.low, f"{name}_high": sure.high}
    months = per_month(y, scores, test.month)
    errors = per_month(y, scores, test.month, ece)
    profit = empc(y, scores, amounts)
    found |= {"auc_month_mean": months.mean, "auc_month_sd": months.sd, "ece_month_mean": errors.mean}
    found |= {"empc_fen": profit.profit_fen, "empc_share": profit.share}
    tables = {
        "deciles": [row._asdict() for row in deciles(y, scores)],
        "gains": [row._asdict() for row in gains(y, scores)],
        "reliability": [row._asdict() for row in reliability(y, scores)],
        "profit": [row._asdict() for row in profit_curve(y, scores, amounts)],
        "tiers": list(_tiers(y, scores, cut_points)),
        "months": [{"month": str(month), "auc": value} for month, value in months.months.items()],
        "slices": list(_slices(y, scores, slices)),
    }
    return Evaluation(found, tables, scores)


def _tiers(y: Floats, scores: Floats, cut_points: CutPoints) -> Rows:
    """Confusion from each tier upwards, and how many are in it and silent."""
    tiers = tier(scores, cut_points)
    rows = []
    for name, counts in confusion_at_tiers(y, scores, cut_points).items():
        inside = tiers == name
        observed = float(y[inside].mean()) if inside.any() else float("nan")
        rows.append(
            {"tier": name, "from": getattr(cut_points, name), "rows": int(inside.sum()), "observed": observed}
            | counts._asdict()
            | {"precision": counts.precision, "recall": counts.recall}
        )
    return rows


def _slices(y: Floats, scores: Floats, slices: Mapping[str, NDArray[Any]]) -> Rows:
    """AUC of every value of an attribute that has enough rows of both classes."""
    rows = []
    for name, values in slices.items():
        for value in np.unique(values.astype(str)):
            inside = values.astype(str) == value
            silent = int(y[inside].sum())
            if min(silent, int(inside.sum()) - silent) >= SLICE_MINIMUM:
                rows.append(
                    {
                        "slice": name,
                        "value": str(value),
                        "rows": int(inside.sum()),
                        "observed": float(y[inside].mean()),
                        "predicted": float(scores[inside].mean()),
                        "auc": auc(y[inside], scores[inside]),
                    }
                )
    return rows
