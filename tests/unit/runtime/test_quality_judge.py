"""Verdicts, number by number: what is allowed, what warns, what blocks, what cannot be said."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pytest

from tests.unit.runtime.quality_world import RULES, ZONE, rule_named
from visitgrain.catalogue.quality import Drift, Range, Rule
from visitgrain.runtime.quality.facts import added, bucket_names, facts_of
from visitgrain.runtime.quality.history import History
from visitgrain.runtime.quality.judge import Finding, Judge, psi
from visitgrain.tables import TABLES

DAY = date(2026, 3, 2)
VISITS = TABLES["visits"]


def found(name: str, period: date, value: float, verdict: str = "pass", **more) -> Finding:
    table, _, rule = name.partition(".")
    fields = {"severity": "block", "checked_rows": int(value), "kind": rule.partition(":")[0], **more}
    return Finding(table_name=table, period=period, rule=rule, verdict=verdict, value=value, **fields)


def verdict(name: str, facts: dict[str, int], past=()) -> Finding:
    [finding] = Judge({("visits", DAY): facts}, History(past).past, ZONE).findings([rule_named(name)], DAY)
    return finding


def weeks(*rows: int, verdict: str = "pass") -> list[Finding]:
    """Volumes of the same weekday, the last week first."""
    days = [DAY - timedelta(weeks=back + 1) for back in range(len(rows))]
    return [found("visits.volume", day, n, verdict) for day, n in zip(days, rows, strict=True)]


def test_facts_of_parts_add_up_and_the_newest_instant_counts():
    rules = RULES.of(VISITS)
    start = pa.array([1_000_000, 5_000_000, None], pa.timestamp("us", tz="UTC"))
    rows = pa.table({"hour": pa.array([0, 24, None], pa.int32()), "start": start, "channel": ["app", "fax", None]})
    whole = facts_of(rows, rules, ())
    assert {name: whole[name] for name in ("rows", "range:hour", "values:channel", "null:channel")} == {
        "rows": 3,
        "range:hour": 1,  # 24; a null is no hour
        "values:channel": 1,  # fax
        "null:channel": 1,
    }
    assert whole["freshness:start"] == 5
    assert added(facts_of(rows.slice(0, 2), rules), facts_of(rows.slice(2), rules)) == whole
    assert added(facts_of(rows.slice(0, 1), rules), facts_of(rows.slice(1), rules)) == whole


def test_what_is_no_number_is_outside_every_range():
    rule = Rule(VISITS, "range", Range(low=0), "gap_days")
    assert facts_of(pa.table({"gap_days": [0.0, -0.1, float("nan"), None]}), [rule])["range:gap_days"] == 2


def test_rows_lie_in_one_bucket_each():
    rule = Rule(VISITS, "drift", Drift(edges=(2, 5)), "events")
    facts = facts_of(pa.table({"events": pa.array([1, 2, 4, 5, 99, None], pa.int32())}), [rule])
    assert bucket_names(rule) == ["null", "<2", "2..5", ">=5"]
    assert [facts[f"drift:events:{name}"] for name in bucket_names(rule)] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("rows", "past", "expected", "low", "high"),
    [
        (1990, weeks(2000, 2010, 1980), "pass", 1200, 2800),  # median 2000; days as alike as these: two fifths
        (1199, weeks(2000, 2010, 1980), "block", 1200, 2800),
        (2801, weeks(2000, 2010, 1980), "block", 1200, 2800),
        (0, weeks(2000, 2010, 1980), "block", 1200, 2800),
        (1199, weeks(2000, 1000, 3000), "pass", 1100, 2900),  # as unlike as these: 45 % at most
        (0, weeks(2000, 2010), "not_judged", None, None),  # two weeks say nothing
        (0, weeks(900, 910, 920), "not_judged", None, None),  # too few rows
        (0, weeks(2000, 2010, 1980, verdict="block"), "not_judged", None, None),  # what was blocked is not usual
    ],
)
def test_volume_against_the_same_weekday(rows, past, expected, low, high):
    finding = verdict("visits.volume", {"rows": rows}, past)
    assert finding.verdict == expected
    assert [finding.expected_low, finding.expected_high] == ([None] * 2 if low is None else pytest.approx([low, high]))


def test_the_psi_of_shares():
    """(0.5 - 0.25) * ln(0.5 / 0.25) + (0.5 - 0.75) * ln(0.5 / 0.75) = 0.1733 + 0.1014"""
    assert psi({"a": 50, "b": 50}, {"a": 25, "b": 75}) == pytest.approx(0.2747, abs=1e-4)
    assert psi({"a": 10, "b": 30}, {"a": 25, "b": 75}) == pytest.approx(0)


def test_a_distribution_is_compared_with_the_same_weekday():
    def mix(app: int, web: int) -> dict[str, int]:
        counts = {name: 0 for name in bucket_names(rule_named("visits.drift:channel"))}
        return counts | {"app": app, "web": web}

    past = [found("visits.drift:channel", DAY - timedelta(weeks=1), 0, counts=mix(1500, 500))]

    def judged(app: int, web: int, before=past) -> Finding:
        facts = {f"drift:channel:{name}": n for name, n in mix(app, web).items()}
        return verdict("visits.drift:channel", {"rows": app + web, **facts}, before)

    assert judged(1500, 500).verdict == "pass"
    assert judged(1200, 800).verdict == "warn"  # PSI 0.107
    assert judged(1000, 1000).verdict == "block"  # 0.275, as above
    assert judged(1000, 1000, before=()).verdict == "not_judged"
    assert judged(1000, 1000).counts["web"] == 1000


def test_the_newest_row_lies_near_the_end_of_the_local_day():
    midnight = 1_772_467_200  # 2026-03-03 00:00 in Shanghai
    fresh = {"rows": 2000, "freshness:start": midnight - 6 * 3600}
    assert verdict("visits.freshness:start", fresh).verdict == "pass"
    stale = {"rows": 2000, "freshness:start": midnight - 6 * 3600 - 60}
    assert verdict("visits.freshness:start", stale).verdict == "block"
    assert verdict("visits.freshness:start", stale | {"rows": 10}).verdict == "not_judged"
    usual = [found("visits.freshness:start", DAY - timedelta(weeks=1), 1.0, checked_rows=2000)]
    assert verdict("visits.freshness:start", stale | {"rows": 10}, usual).verdict == "block"


def test_a_message_says_rule_table_period_found_and_allowed():
    finding = verdict("visits.volume", {"rows": 900}, weeks(2000, 2010, 1980))
    assert finding.told == "visits 2026-03-02: visits.volume found 900, allowed 1,200 to 2,800"
    assert verdict("visits.range:hour", {"rows": 9, "range:hour": 2}).told.endswith("found 2, allowed 0")


def test_what_was_allowed_stays_allowed_while_it_is_the_same():
    history = History([found("visits.volume", DAY, 900, "allowed")])
    assert history.was_allowed(found("visits.volume", DAY, 900, "block"))
    assert not history.was_allowed(found("visits.volume", DAY, 901, "block"))
    history.add([found("visits.volume", DAY, 900, "block")])
    assert not history.was_allowed(found("visits.volume", DAY, 900, "block"))


def test_a_table_with_no_rows_that_day_is_judged_by_its_volume_only():
    rules = RULES.of(VISITS)
    assert [f.rule for f in Judge({}, {}, ZONE).findings(rules, DAY)] == ["volume"]
