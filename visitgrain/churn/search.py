"""Hyper-parameters by a seeded search, judged on the choosing months only."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

import optuna

from visitgrain.churn.panel import Learner, Panel


class Range(NamedTuple):
    """From low to high, both included; whole numbers where both are. `log`: even on a log scale."""

    low: float
    high: float
    log: bool = False


class Trial(NamedTuple):
    number: int
    parameters: dict[str, Any]
    value: float  # log-loss on the choosing rows
    seconds: float


class Found(NamedTuple):
    learner: Learner  # the best one, what is chosen there (the number of trees) fixed: fit it on all training rows
    trials: tuple[Trial, ...]


def search(
    learner: Learner, space: Mapping[str, Range], train: Panel, choose: Panel, *, trials: int = 20, seed: int = 0
) -> Found:
    """Tree-structured Parzen estimator (Bergstra et al. 2011); of equal values the earliest trial wins.

    The first trial is `learner` as it is: the answer is never worse than that on the choosing rows. Raises ValueError
    where that lies outside of the space, or months of choosing lie within those of training.
    """
    if train.month.max() >= choose.month.min():
        raise ValueError("the choosing months must come after those of `train`")
    present = {name: learner.settings[name] for name in space if name in learner.settings}
    outside = [name for name, value in present.items() if not space[name].low <= value <= space[name].high]
    if outside:
        raise ValueError(f"the space leaves out the learner's own {', '.join(outside)}; widen it")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(present)
    records: list[Trial] = []
    best = learner
    for number in range(trials):
        began = perf_counter()
        asked = study.ask(_distributions(space))
        chosen = learner.with_settings(**asked.params).chosen(train, choose)
        study.tell(asked, chosen.log_loss)
        if all(chosen.log_loss < record.value for record in records):
            best = chosen.learner
        records.append(Trial(number, dict(asked.params), chosen.log_loss, perf_counter() - began))
    return Found(best, tuple(records))


def _distributions(space: Mapping[str, Range]) -> dict[str, optuna.distributions.BaseDistribution]:
    answer: dict[str, optuna.distributions.BaseDistribution] = {}
    for name, (low, high, log) in space.items():
        if isinstance(low, int) and isinstance(high, int):
            answer[name] = optuna.distributions.IntDistribution(low, high, log=log)
        else:
            answer[name] = optuna.distributions.FloatDistribution(low, high, log=log)
    return answer
