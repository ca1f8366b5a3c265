"""How hazards do on cut-offs that they have not seen, and whether they replace the champion's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from visitgrain.catalogue.churn import ChurnSettings
from visitgrain.churn.hazard_data import JUDGED_WEEKS, HazardData
from visitgrain.churn.leakage import shuffled_auc, single_feature_auc
from visitgrain.churn.panel import Panel
from visitgrain.churn.promotion import Contest, Gate, Verdict, judge
from visitgrain.churn.quality import Floats, ece
from visitgrain.churn.survival import Spells, silent_within, survival
from visitgrain.churn.survival_quality import auc_within, c_index, integrated_brier, kaplan_meier
from visitgrain.churn.training import LOCAL

COMPARED = ("c_index", "auc_4w", "auc_horizon", "integrated_brier", "brier_gain", "ece_4w", "silent_4w", "mean_4w")


def evaluated(hazard: Floats, testing: Spells) -> dict[str, float]:
    """By the names of COMPARED. Of all test rows it is known who went silent within four weeks."""
    weeks, event, horizon = testing.weeks, testing.event, hazard.shape[1]
    begun, within_4w = _within_4w(testing), silent_within(hazard, JUDGED_WEEKS)
    end = survival(hazard)
    alike = integrated_brier(weeks, event, np.tile(kaplan_meier(weeks, event, horizon), (len(weeks), 1)))
    error = integrated_brier(weeks, event, end)
    return {
        "c_index": c_index(weeks, event, 1 - end[:, -1], horizon),
        "auc_4w": auc_within(weeks, event, within_4w, JUDGED_WEEKS),
        "auc_horizon": auc_within(weeks, event, 1 - end[:, -1], horizon),
        "integrated_brier": error,
        "brier_gain": 1 - error / alike if alike else float("nan"),
        "ece_4w": ece(begun, within_4w),
        "silent_4w": float(begun.mean()),
        "mean_4w": float(within_4w.mean()),
    }


def verdict_on(challenger: Floats, opponent: Floats, name: str, data: HazardData, settings: ChurnSettings) -> Verdict:
    """The churn model's gate, on silence within four weeks of the test cut-offs. `opponent`: scores of `name`."""
    test, y = data.testing.panel, _within_4w(data.testing)
    columns = {feature: test.x[:, place] for place, feature in enumerate(test.features)}
    contest = Contest(
        y=y,
        challenger=challenger,
        opponent=opponent,
        subscriber=test.subscriber,
        slices=data.slices,
        feature_aucs={feature: single_feature_auc(values, y) for feature, values in columns.items()},
        shuffled_auc=_shuffled(data, settings.seed),
        opponent_name=name,
    )
    return judge(contest, Gate(**settings.gate.model_dump()))


def _shuffled(data: HazardData, seed: int) -> float:
    """AUC of the logistic regression on shuffled labels of four weeks: leaks come through data, not a learner."""
    learnt = data.learning.where((data.learning.weeks >= JUDGED_WEEKS) | data.learning.event)
    rows, test = learnt.panel, data.testing.panel

    def again(panel: Panel, y: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        labels = np.asarray(y)
        own = Panel(panel.features, panel.x, labels[: len(panel)], panel.month, panel.subscriber)
        return labels[len(panel) :], LOCAL["logistic"](seed).fit(own).score(test.x)

    return shuffled_auc(again, rows, np.concatenate([_within_4w(learnt), _within_4w(data.testing)]), repeats=3)


def _within_4w(spells: Spells) -> Floats:
    return (spells.event & (spells.weeks < JUDGED_WEEKS)).astype(np.float64)
