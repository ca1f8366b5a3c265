"""The promotion gate: no planted bad model passes, and, as a control, good ones do."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.churn.planted import BAD, GOOD, ROWS, World, better, equal, noise, overconfident
from visitgrain.churn.promotion import Contest, Gate, Verdict, judge, slice_gains

QUICK = Gate(samples=200)
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("planted", "reason"), BAD.items(), ids=[planted.__name__ for planted in BAD])
def test_no_bad_model_is_promoted(planted, reason, seed):
    verdict = judge(planted(World(seed)), QUICK)
    assert not verdict.promoted
    assert re.search(reason, "\n".join(verdict.reasons))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("planted", GOOD)
def test_good_models_are_promoted(planted, seed):
    assert judge(planted(World(seed)), QUICK).promoted


def test_there_are_enough_bad_models():
    assert len(BAD) * len(SEEDS) >= 50


def test_all_that_refuses_is_told_and_nothing_else():
    world = World(0)
    contest = replace(overconfident(world), shuffled_auc=0.4)
    first, second = judge(contest, replace(QUICK, max_bias=1)).reasons
    assert re.fullmatch(r"ECE 0\.\d{4}, to be at most 0\.03", first)
    assert second == "AUC on shuffled labels 0.4000, to be 0.5 +- 0.03"
    assert len(judge(noise(world), QUICK).reasons) == 3  # no gain, not calibrated, behind on slices


def test_a_promotion_gives_its_numbers():
    reasons = judge(better(World(0)), QUICK).reasons
    assert reasons[0].startswith("AUC 0.80")
    assert "behind on none of 5 slices" in reasons
    assert len(reasons) == 8


def test_the_leak_list_refuses_by_name():
    verdict = judge(better(World(0)), replace(QUICK, leak_list=("b*",)))
    assert verdict == Verdict(False, ("inputs on the leak list of the label: b",))


def test_chance_in_many_small_slices_does_not_refuse():
    """25 places of 160 rows, models of equal worth: some places fall by far more than .01."""
    contest = equal(World(0))
    contest = replace(contest, slices={"place": contest.subscriber % 25})
    assert min(point for _, (point, _) in slice_gains(contest, 50)) < -0.03
    assert not any("behind" in words for words in judge(contest, QUICK).reasons)


def small(regions: list[str | None]) -> Contest:
    """Eight rows: as good as the other model in all, worse in the second four."""
    y = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    old = np.array([0.1, 0.9, 0.2, 0.8, 0.1, 0.9, 0.2, 0.8])
    new = np.array([0.1, 0.9, 0.2, 0.8, 0.1, 0.9, 0.85, 0.8])
    return Contest(y, new, old, np.arange(8), {"region": np.array(regions, dtype=object)}, {"a": 0.6}, 0.5)


def test_slices_by_hand():
    """In the second four .85 of a 0 is above .8 of a 1: one of four pairs. A missing region is a slice."""
    found = {name: point for name, (point, _) in slice_gains(small(["n"] * 4 + [None] * 4), min_class_rows=2)}
    assert found == {"region = n": 0.0, "region = missing": -0.25}


def test_a_slice_with_few_of_a_class_is_not_judged():
    assert dict(slice_gains(small(["n"] * 5 + ["s"] * 3), min_class_rows=2)).keys() == {"region = n"}


def test_equal_labels_judge_nothing():
    contest = replace(better(World(0)), y=np.zeros(ROWS))
    assert judge(contest, QUICK) == Verdict(False, (f"all {ROWS} labels are equal: nothing can be judged",))
