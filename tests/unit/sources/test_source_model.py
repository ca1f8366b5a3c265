"""A mapping file is checked whole before a file of the log is opened; every problem has its place and its fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from visitgrain.catalogue.source import load_source
from visitgrain.catalogue.source_functions import FUNCTIONS, function_table
from visitgrain.errors import ConfigError
from visitgrain.sources.secret import pseudonym_key

ROOT = Path(__file__).parents[3]
SHOP = """\
source: shop
description: a log
format: csv
zone: Asia/Shanghai
tables:
  events:
    columns:
      device_id: device
      event_time: timestamp(time)
      event_type: "lookup(kind, {'view': 'page_view'})"
    defaults:
      channel: web
"""


def load(tmp_path: Path, text: str):
    (tmp_path / "shop.yaml").write_text(text)
    return load_source("shop", [tmp_path])


def test_small_mapping(tmp_path: Path) -> None:
    mapping = load(tmp_path, SHOP).tables["events"]
    assert list(mapping.columns) == ["device_id", "event_time", "event_type"]
    assert mapping.defaults == {"channel": "web"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("device_id: device", "device_id: dev.ice", "shop.yaml:8:7: tables.events.columns.device_id: Attribute"),
        ("timestamp(time)", "timestmp(time)", "unknown function 'timestmp'; did you mean 'timestamp'?"),
        ("device_id: device", "devce_id: device", "no such column; did you mean 'device_id'?"),
        ("      event_time: timestamp(time)\n", "", "columns.event_time: missing; this column is never null"),
        ("      device_id: device\n", "", "columns.device_id: missing; this column is never null"),
        ("channel: web", "channel: wep", "'wep' is not allowed; did you mean 'web'?; allowed: app, web, wechat"),
        ("events:", "evnts:", "unknown table 'evnts'; did you mean 'events'?"),
        ("zone: Asia/Shanghai", "zone: Asia/Shangai", "unknown time zone; did you mean 'Asia/Shanghai'?"),
        ("zone: Asia/Shanghai\n", "", "zone: Field required"),
        ("format: csv", "format: xml", "'parquet', 'csv', 'json' or 'text'"),
        ("format: csv", "format: text", "`pattern`"),
        ("zone:", "header: false\nzone:", "header: false` with `names"),
        ("zone:", "encoding: utf-16\nzone:", "cannot be split into lines"),
        ("zone:", "delimter: ';'\nzone:", "unknown key; allowed:"),
        ("channel: web", "channel: web\n      source: x", "defaults.source: no such column"),
        ("event_time: timestamp(time)", "sent_time: a", "sent_time and created_time go together"),
        ("channel: web", "channel: web\n      sent_time: '1'\n      created_time: '1'", "map either it or those two"),
        ("source: shop", "source: other", "differs from the file's name"),
    ],
)
def test_problem_has_place_and_fix(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SHOP
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, SHOP.replace(old, new))
    assert message in str(refused.value)


def test_unknown_source_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown source 'zulp'; did you mean 'zulip'"):
        load_source("zulp", [ROOT / "conf/sources"])


@pytest.mark.parametrize("path", sorted((ROOT / "conf/sources").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_mapping_is_valid(path: Path) -> None:
    assert load_source(path.stem, [path.parent]).description


def test_example_of_the_readme_is_valid(tmp_path: Path) -> None:
    text = (ROOT / "conf/sources/README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    assert load(tmp_path, text).format == "json"


def test_unquoted_braces_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sources/shop\.yaml:10:\d+: .*in double quotes"):
        load(tmp_path, SHOP.replace('"lookup', "lookup").replace(')"', ")"))


def test_readme_lists_every_function() -> None:
    assert function_table() in (ROOT / "conf/sources/README.md").read_text()
    assert all(name in function.usage for name, function in FUNCTIONS.items())


def test_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "key"
    key = pseudonym_key(path)
    assert len(key) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert pseudonym_key(path) == key


@pytest.mark.parametrize(("mode", "content", "message"), [(0o640, "a" * 32, "chmod 600"), (0o600, "", "0 bytes")])
def test_unsafe_key_is_refused(tmp_path: Path, mode: int, content: str, message: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=message) as refused:
        pseudonym_key(path)
    assert "aaaa" not in str(refused.value)
