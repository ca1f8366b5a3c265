"""Contests between models of known quality: labels are drawn from signals, a model sees some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import expit, logit

from visitgrain.churn.leakage import single_feature_auc
from visitgrain.churn.promotion import Contest

ROWS, MONTHS = 4000, 4
SD = {"a": 1.2, "b": 0.6, "c": 0.6}  # of the signals that sum up to the log-odds of silence
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(11)


def seen(signals: dict[str, np.ndarray], names: str) -> np.ndarray:
    """The best probability for who sees these signals: the mean over the others. Calibrated by construction."""
    unseen = np.sqrt(sum(sd**2 for name, sd in SD.items() if name not in names))
    odds = sum(signals[name] for name in names) - 0.4
    return expit(odds[:, None] + unseen * NODES) @ WEIGHTS / WEIGHTS.sum()


class World:
    """1,000 subscribers in 4 months; `a` is a habit of the subscriber, `b` and `c` are of the month."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.subscriber = np.repeat(np.arange(ROWS // MONTHS), MONTHS)
        habit = self.random.normal(size=ROWS // MONTHS)[self.subscriber]
        monthly = {name: self.random.normal(size=ROWS) for name in "bc"}
        self.signals = {name: SD[name] * draw for name, draw in {"a": habit, **monthly}.items()}
        self.y = (self.random.random(ROWS) < expit(sum(self.signals.values()) - 0.4)).astype(int)
        self.region = np.array(["north", "south", "west", "east", None], dtype=object)[self.subscriber % 5]

    def score(self, names: str) -> np.ndarray:
        return seen(self.signals, names)

    def contest(self, challenger: np.ndarray, opponent: np.ndarray | None = None) -> Contest:
        """Against a champion that sees `a` and `b`."""
        return Contest(
            y=self.y,
            challenger=challenger,
            opponent=self.score("ab") if opponent is None else opponent,
            subscriber=self.subscriber,
            slices={"region": self.region},
            feature_aucs={name: single_feature_auc(values, self.y) for name, values in self.signals.items()},
            shuffled_auc=0.507,
        )


def worse(world: World) -> Contest:
    return world.contest(world.score("a"))


def the_same(world: World) -> Contest:
    return world.contest(world.score("ab"))


def equal(world: World) -> Contest:
    """Other inputs, as good: what differs is chance."""
    return world.contest(world.score("ac"))


def a_hair_apart(world: World) -> Contest:
    """The champion with a little noise."""
    return world.contest(expit(logit(world.score("ab")) + world.random.normal(0, 0.05, ROWS)))


def noise(world: World) -> Contest:
    return world.contest(world.random.permutation(world.score("abc")))


def bad_slice(world: World) -> Contest:
    """Better over all, blind in one region."""
    score = world.score("abc")
    south = np.flatnonzero(world.region == "south")
    score[south] = world.random.permutation(score[south])
    return world.contest(score, world.score("a"))


def overconfident(world: World) -> Contest:
    return world.contest(expit(2.5 * logit(world.score("abc"))))


def too_high(world: World) -> Contest:
    """Everybody 20 % likelier to leave than they are."""
    return world.contest(np.minimum(world.score("abc") * 1.2, 1))


def knows_the_future(world: World) -> Contest:
    """An input that is all but the label, and a model that uses it with restraint."""
    leak = world.y + world.random.normal(0, 0.25, ROWS)
    contest = world.contest(world.score("abc"))
    return replace(contest, feature_aucs={**contest.feature_aucs, "logins": single_feature_auc(leak, world.y)})


def knows_it_in_many_inputs(world: World) -> Contest:
    """None of them tells alone, together they leave no doubt."""
    return world.contest(np.clip(0.02 + 0.96 * world.y + world.random.normal(0, 0.01, ROWS), 0, 1))


def peeks(world: World) -> Contest:
    """Resampled before the split: shuffled labels are learned too."""
    return replace(world.contest(world.score("abc")), shuffled_auc=0.58)


def never_checked(world: World) -> Contest:
    return replace(world.contest(world.score("abc")), feature_aucs={}, shuffled_auc=float("nan"))


def missing_scores(world: World) -> Contest:
    return world.contest(np.where(np.arange(ROWS) % 100 == 0, np.nan, world.score("abc")))


def as_good_as_recency(world: World) -> Contest:
    """No champion yet, and no more than the baseline in other units."""
    contest = world.contest(world.score("a"), opponent=10 * world.signals["a"] + 50)
    return replace(contest, opponent_name="baseline (recency)")


Planted = Callable[[World], Contest]
BAD: dict[Planted, str] = {  # with the reason it is to be refused for
    worse: "AUC .* of the champion",
    the_same: "AUC .* of the champion",
    equal: "AUC .* of the champion",
    a_hair_apart: "AUC .* of the champion",
    noise: "AUC .* of the champion",
    bad_slice: "behind on region = south",
    overconfident: "ECE",
    too_high: "mean score",
    knows_the_future: "telling the label alone.*logins",
    knows_it_in_many_inputs: "more would not be credible",
    peeks: "shuffled labels 0.58",
    never_checked: "of 0 inputs",
    missing_scores: "40 of 4000 scores are missing",
    as_good_as_recency: "of the baseline",
}


def better(world: World) -> Contest:
    return world.contest(world.score("abc"))


def better_than_recency(world: World) -> Contest:
    contest = world.contest(world.score("abc"), opponent=10 * world.signals["a"] + 50)
    return replace(contest, opponent_name="baseline (recency)")


def better_with_many_small_slices(world: World) -> Contest:
    """25 places of 160 rows: in some of them chance speaks against the better model."""
    contest = world.contest(world.score("abc"))
    return replace(contest, slices={**contest.slices, "place": world.subscriber % 25})


GOOD: list[Planted] = [better, better_than_recency, better_with_many_small_slices]
