"""Parts in order of time, each as known when the next one began."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from visitgrain.churn.hazard_data import HazardData, parted
from visitgrain.churn.hazard_model import HazardModel, load
from visitgrain.churn.learners import logistic
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import panel_of
from visitgrain.churn.survival import Spells, person_weeks
from visitgrain.churn.training_data import Split
from visitgrain.errors import InputMissing

FEATURES = FeatureSet({"f": "1"})


def data(train: int, choose: int, test: int) -> HazardData:
    """Two subscribers a month from January on: 0 goes silent in the second week, 1 is known for twelve weeks."""
    months = [date(2026, month, 1) for month in range(1, train + choose + test + 1)]
    rows = 2 * len(months)
    event = np.tile([1, 0], len(months))
    panel = panel_of(("f",), np.zeros((rows, 1)), event, np.repeat(months, 2), np.arange(rows) % 2)
    spells = Spells(panel, np.where(event, 1, 12))
    split = Split(*map(tuple, (months[:train], months[train : train + choose], months[train + choose :])))
    return parted(spells, FEATURES, split, 28, {"area": np.arange(rows)}, {str(month): {} for month in months}, 1.0)


def test_each_part_is_as_known_when_the_next_began():
    """Cut-offs 1 February to 1 July. Weeks known: 59 days from February to April leave 59 - 27 = 32, four weeks."""
    found = data(2, 2, 2)
    assert found.fitting.weeks.tolist() == [1, 4, 0, 0]  # at 1 April; March's 31 days leave four: no week
    assert found.fitting.event.tolist() == [True, False, False, False]
    assert found.choosing.weeks.tolist() == [1, 4, 0, 0]  # at 1 June, of 1 April and 1 May: 61 - 27 = 34 days, 4
    assert found.learning.weeks.tolist() == [1, 12, 1, 9, 1, 4, 0, 0]  # 120 - 27 = 93 days, 13; 92 - 27 = 65, 9
    assert found.testing.weeks.tolist() == [1, 12, 1, 12]
    assert found.slices["area"].tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize("months", [(1, 1, 1), (1, 2, 1), (2, 1, 1)])
def test_too_few_months_say_so(months):
    with pytest.raises(InputMissing, match=r"the \d cut-off months are too few: none of those to (train|choose) on"):
        data(*months)


def test_a_model_comes_back_as_it_was_saved(tmp_path):
    learner = logistic().fit(person_weeks(data(2, 2, 2).learning, 12))
    model = HazardModel(learner, FEATURES, 12, 28, {"lake": "here"})
    model.save(tmp_path)
    again = load(tmp_path)
    assert (again.features, again.horizon_weeks, again.silence_days, again.about) == (
        FEATURES,
        12,
        28,
        {"lake": "here"},
    )
    x = np.array([[0.0], [np.nan]])
    assert again.hazard(x).tolist() == model.hazard(x).tolist()
    assert model.hazard(x).shape == (2, 12)
    with pytest.raises(InputMissing, match=r"hazard_model\.json"):
        load(tmp_path / "elsewhere")
