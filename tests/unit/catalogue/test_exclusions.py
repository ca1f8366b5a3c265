"""Which user agents are robots, monitors or tests: known ones, look-alikes, and those of a real log with labels."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from visitgrain.catalogue.exclusions import load_exclusions
from visitgrain.errors import ConfigError
from visitgrain.runtime.settings import default_conf
from visitgrain.sources.excluding import exclusions_of

RULES = load_exclusions(default_conf())


def why(agent: str) -> str | None:
    return next((reason for reason in RULES.user_agents if re.search(RULES.pattern(reason), agent)), None)


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", "bot"),
        ("Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)", "bot"),
        ("Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)", "bot"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        ("curl/8.5.0", "bot"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0 Safari/537.36", "test"),
        ("Pingdom.com_bot_version_1.4", "monitor"),
        ("kube-probe/1.29", "monitor"),
        # people
        ("Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36", None),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) MicroMessenger/8.0.44 NetType/WIFI", None),
        ("Mozilla/5.0 (Linux; U; Android 13; zh-cn; V2244A) MQQBrowser/14.7 Mobile Safari/537.36", None),
        ("okhttp/4.12.0", None),  # the operator's own app
        ("", None),
    ],
)
def test_known_agents(agent, reason):
    assert why(agent) == reason


def test_robots_of_a_real_log_are_found(shared):
    """Of 558 agents the log's own label calls 59 robots: 57 are found. What is found beside them are tools."""
    rows = pl.read_parquet(shared / "data/web_access_apache/events.parquet", columns=["user_agent", "is_bot"]).unique()
    found = {row["user_agent"]: why(row["user_agent"] or "") for row in rows.to_dicts()}
    labelled = set(rows.filter("is_bot")["user_agent"])
    missed = labelled - {agent for agent, reason in found.items() if reason}
    assert {re.search(r"CommaFeed|theoldreader", agent)[0] for agent in missed} == {"CommaFeed", "theoldreader"}
    beside = {re.split(r"[/ ]", agent)[0] for agent, reason in found.items() if reason and agent not in labelled}
    assert beside == {"facebookexternalhit", "Python-urllib", "LWP::Simple", "python-requests", "Mozilla"}
    [only] = [
        agent for agent, reason in found.items() if reason and agent.startswith("Mozilla") and agent not in labelled
    ]
    assert "PhantomJS" in only


FILE = """\
version: "1"
description: of a test
user_agents: {{bot: [{pattern}]}}
lists: [{list}]
"""


@pytest.mark.parametrize(
    ("pattern", "listed", "message"),
    [
        ("'('", "", "bot: '(' is no regular expression"),
        ("''", "", "fits every user agent"),
        ("'a*'", "", "fits every user agent"),
        ("a", "{reason: Staff, column: device_id, holds: ids, file: f}", "lists.0.reason"),
        ("a", "{reason: staff, column: device_id, holds: numbers, file: f}", "only subscribers have numbers"),
        ("a", "{reason: staff, column: number, holds: ids, file: f}", "'subscriber_id' or 'device_id'"),
    ],
)
def test_problems_are_said_with_their_place(tmp_path: Path, pattern, listed, message):
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue/exclusions.yaml").write_text(FILE.format(pattern=pattern, list=listed))
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_exclusions(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "FileNotFoundError; it must be a text file"), ("12\nabc\n", "f:2: no subscriber id")],
)
def test_a_list_that_cannot_be_read_stops_the_run_without_showing_it(tmp_path: Path, content, message):
    file = tmp_path / "f"
    if content:
        file.write_text(content)
    (tmp_path / "catalogue").mkdir()
    listed = f"{{reason: staff, column: subscriber_id, holds: ids, file: {file}}}"
    (tmp_path / "catalogue/exclusions.yaml").write_text(FILE.format(pattern="a", list=listed))
    with pytest.raises(ConfigError) as refused:
        exclusions_of(load_exclusions(tmp_path), None, lambda: b"")
    assert message in str(refused.value)
    assert "abc" not in str(refused.value)
