"""Rules of the quality gate: what tables declare, what files add, and what is said of a wrong file."""

from __future__ import annotations

import pytest

from visitgrain.catalogue.quality import load_quality
from visitgrain.errors import ConfigError, UsageError
from visitgrain.runtime.settings import default_conf
from visitgrain.tables import TABLES

GOOD = """\
table: visits
ranges:
  hour: {low: 0, high: 23}
sums:
  events: {equals: [visit_days.events]}
volume: {}
"""


def loaded(folder, text: str = GOOD, name: str = "visits"):
    """The rules of one file."""
    target = folder / "catalogue" / "quality"
    target.mkdir(parents=True)
    (target / f"{name}.yaml").write_text(text)
    return load_quality(folder)


def test_what_a_table_declares_needs_no_file(tmp_path):
    rules = load_quality(tmp_path).of(TABLES["visit_days"])
    assert [rule.name for rule in rules] == ["key", "null:visit_id", "null:day", "null:channel", "values:channel"]
    assert {rule.spec.severity for rule in rules} == {"block"}


def test_a_file_adds_to_it(tmp_path):
    rules = loaded(tmp_path)
    names = [rule.full_name for rule in rules.of(TABLES["visits"])]
    assert names[-3:] == ["visits.range:hour", "visits.sum:events", "visits.volume"]
    assert rules.summed == {"visits": {"events"}, "visit_days": {"events"}}


def test_shipped_rules_are_of_the_tables_that_pipelines_publish():
    assert "visits" in load_quality(default_conf()).added


@pytest.mark.parametrize(
    ("found", "instead", "message"),
    [
        ("ranges", "range", r"visits\.yaml:3:3: range: unknown key; allowed: .*did you mean 'ranges'"),
        ("hour: {low", "hours: {low", r"yaml:3:10: visits\.hours: no column 'hours' in visits; did you mean 'hour'"),
        ("hour: {low", "channel: {low", r"visits\.yaml:3:12: visits\.channel is string; allowed: int, bigint, double"),
        ("low: 0, high: 23", "low: 24, high: 23", r"ranges\.hour: low 24 is above high 23; swap them"),
        ("low: 0, high: 23", "", r"ranges\.hour: give low, high or both"),
        ("visit_days.events", "visit_day.events", r"no table 'visit_day'; did you mean 'visit_days'"),
        ("visit_days.events", "visit_days.event", r"no column 'event' in visit_days; did you mean 'events'"),
        ("volume: {}", "volume: {severity: stop}", r"severity: Input should be 'warn' or 'block' \(found 'stop'\)"),
        ("table: visits", "table: visit", r"table 'visit' is not the file's name"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_with_its_place(tmp_path, found, instead, message):
    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path, GOOD.replace(found, instead, 1))


def test_only_rules_that_exist_may_be_allowed(tmp_path):
    rules = loaded(tmp_path)
    rules.assert_known(["visits.volume", "visit_days.key"])
    with pytest.raises(
        UsageError, match=r"--allow-quality visits\.volumes: no such rule; did you mean 'visits\.volume'"
    ):
        rules.assert_known(["visits.volumes"])
