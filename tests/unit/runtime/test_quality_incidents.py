"""Verdicts on clean days with a weekly season, and on days that were spoilt in known ways."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from tests.unit.runtime.quality_world import (
    FIRST,
    NOISE,
    USUAL,
    WEEK,
    ZONE,
    QualityWorld,
    clean_day,
    doubled,
    replaced,
    rule_named,
    shifted,
    until,
)
from visitgrain.runtime.quality.history import History
from visitgrain.runtime.quality.judge import Judge, Verdict

pytestmark = pytest.mark.slow  # some seconds

DAYS_BEFORE = 42  # six weeks: what the gate looks back
SHARES = (0.0005, 0.005, 0.05, 0.3)  # of the rows of a day; the first is one row
# kind of incident, rule that must catch it, what spoils a day, sizes
INCIDENTS = [
    ("null key", "visits.null:visit_id", replaced("visits", "visit_id", None), SHARES),
    ("null key", "visit_days.null:day", replaced("visit_days", "day", None), SHARES),
    ("duplicate key", "visits.key", doubled("visits"), SHARES),
    ("duplicate key", "visit_days.key", doubled("visit_days"), SHARES),
    ("foreign key", "visit_days.reference:visit_id", replaced("visit_days", "visit_id", 7), SHARES),
    ("range", "visits.range:hour", replaced("visits", "hour", 24), SHARES),
    ("range", "visits.range:events", replaced("visits", "events", 0), SHARES),
    ("range", "visits.range:duration_s", replaced("visits", "duration_s", -1), SHARES),
    ("enumeration", "visits.values:channel", replaced("visits", "channel", "fax"), SHARES),
    ("enumeration", "visit_days.values:channel", replaced("visit_days", "channel", "App"), SHARES),
    ("sum", "visit_days.sum:events", replaced("visit_days", "events", 400), SHARES),
    ("sum", "device_visits.sum:rows", doubled("device_visits"), SHARES),
    ("freshness", "visits.freshness:start", until, (6, 10, 14, 17)),
    ("distribution", "visits.drift:channel", shifted, (0.4, 0.5, 0.7, 1.0)),
    ("distribution", "visits.drift:subscriber_id", replaced("visits", "subscriber_id", None), (0.35, 0.5, 0.7, 1.0)),
]
VOLUMES = (0.0, 0.2, 0.35, 0.5, 1.5, 1.7, 2.0, 4.0)
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> QualityWorld:
    """Six clean weeks were judged."""
    made = QualityWorld(tmp_path_factory.mktemp("quality"))
    for number in range(DAYS_BEFORE):
        made.history.add(made.judged(_day(number), clean_day(_day(number), seed=1)))
    return made


def _day(number: int) -> date:
    return FIRST + timedelta(days=number)


def _blocked(findings) -> set[str]:
    return {finding.full_rule for finding in findings if finding.verdict == Verdict.BLOCK}


def test_clean_days_pass(tmp_path):
    """100 days after six weeks: at most one is blocked by mistake."""
    made = QualityWorld(tmp_path)
    judged = {}
    for number in range(DAYS_BEFORE + 100):
        found = made.judged(_day(number), clean_day(_day(number), seed=2))
        made.history.add(found)
        judged[number] = found
    after = [found for number, found in judged.items() if number >= DAYS_BEFORE]
    assert sum(bool(_blocked(found)) for found in after) <= 1
    assert {f.verdict for found in after for f in found if f.kind in ("volume", "drift", "freshness")} >= {Verdict.PASS}


def test_incidents_are_blocked_by_the_rule_that_is_about_them(world):
    """Kind × table × size × seed: 136 of them, each spoilt in one way."""
    missed, total = [], 0
    for number, (kind, rule, spoil, sizes) in enumerate(INCIDENTS):
        for size in sizes:
            for seed in SEEDS:
                day = _day(DAYS_BEFORE + (number + seed) % 7)
                before = clean_day(day, seed=3 + seed)
                spoilt = spoil(before, np.random.default_rng([number, seed]), size)
                assert spoilt != before, f"{kind} of size {size} changed nothing"
                total += 1
                if rule not in _blocked(world.judged(day, spoilt)):
                    missed.append((kind, rule, size, seed))
    for factor in VOLUMES:
        for seed in SEEDS:
            day = _day(DAYS_BEFORE + seed)
            usual = int(USUAL * WEEK[day.weekday()])
            total += 1
            if "visits.volume" not in _blocked(world.judged(day, clean_day(day, 3 + seed, int(factor * usual)))):
                missed.append(("volume", "visits.volume", factor, seed))
    assert total >= 100
    assert missed == []


def test_the_days_that_are_spoilt_pass_when_they_are_not(world):
    """Control of the test above: nothing blocks the same days as they were."""
    for number in range(7):
        for seed in SEEDS:
            day = _day(DAYS_BEFORE + number)
            assert _blocked(world.judged(day, clean_day(day, seed=3 + seed))) == set()


def test_few_clean_days_are_blocked_for_their_volume_alone():
    """20 worlds of 100 days: fewer than one in a hundred days, also with twice the noise."""
    for noise in (NOISE, 2 * NOISE):
        blocked = sum(_blocked_volumes(seed, noise) for seed in range(20))
        assert blocked <= 20, f"{blocked} of 2,000 days with noise {noise}"


def _blocked_volumes(seed: int, noise: float) -> int:
    chance, rule, blocked = np.random.default_rng(seed), rule_named("visits.volume"), 0
    past = History(())
    for number in range(DAYS_BEFORE + 100):
        day = _day(number)
        rows = int(USUAL * WEEK[day.weekday()] * 1.002**number * np.exp(chance.normal(0, noise)))  # grows 0.2 % a day
        [finding] = Judge({("visits", day): {"rows": rows}}, past.past, ZONE).findings([rule], day)
        past.add([finding])
        blocked += finding.verdict == Verdict.BLOCK
    return blocked
