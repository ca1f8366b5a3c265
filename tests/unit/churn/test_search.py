"""The search: the same trials for the same seed, never worse than where it began, no later month in sight."""

from __future__ import annotations

import pytest

from tests.unit.churn.silence import small_panel
from visitgrain.churn import learners
from visitgrain.churn.panel import split_choosing
from visitgrain.churn.search import Range, search

EARLIER, CHOOSE = split_choosing(small_panel(rows=600))
SPACE = {"num_leaves": Range(2, 31), "learning_rate": Range(0.02, 0.3, log=True)}


def found(learner=None, space=SPACE, **more):
    return search(learner or learners.lightgbm(min_data_in_leaf=20), space, EARLIER, CHOOSE, trials=5, **more)


def without_clock(trials):
    return [trial[:3] for trial in trials]


def test_the_same_seed_gives_the_same_trials():
    one, two, other = found(), found(), found(seed=1)
    assert without_clock(one.trials) == without_clock(two.trials)
    assert one.learner == two.learner
    assert without_clock(one.trials) != without_clock(other.trials)


def test_it_begins_with_the_learner_as_it_is_and_keeps_the_best():
    learner, trials = found()
    assert trials[0].parameters == {"num_leaves": 15, "learning_rate": 0.05}
    best = min(trials, key=lambda trial: (trial.value, trial.number))
    assert {name: learner.settings[name] for name in SPACE} == best.parameters
    assert learner.settings["lambda_l2"] == 5.0
    assert learner.chosen(EARLIER, CHOOSE).log_loss == best.value
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4]


def test_parameters_stay_in_the_space_and_whole_numbers_whole():
    for trial in found().trials:
        assert isinstance(trial.parameters["num_leaves"], int)
        assert 2 <= trial.parameters["num_leaves"] <= 31
        assert 0.02 <= trial.parameters["learning_rate"] <= 0.3


def test_the_logistic_regression_is_searched_the_same_way():
    learner, trials = found(learners.logistic(), {"C": Range(0.001, 10.0, log=True)})
    assert trials[0].parameters == {"C": 0.1}
    assert learner.settings["C"] == min(trials, key=lambda trial: trial.value).parameters["C"]


def test_choosing_months_within_training_are_refused():
    with pytest.raises(ValueError, match="must come after"):
        search(learners.lightgbm(), SPACE, CHOOSE, EARLIER)


def test_a_space_without_the_learners_own_settings_is_refused():
    with pytest.raises(ValueError, match="leaves out the learner's own num_leaves"):
        found(space={"num_leaves": Range(20, 31)})
