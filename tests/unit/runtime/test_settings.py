"""Settings: who wins, where a value comes from, what a mistake says."""

from __future__ import annotations

from pathlib import Path

import pytest

from visitgrain.errors import ConfigError
from visitgrain.runtime import machine
from visitgrain.runtime.settings import default_conf, resolve

BASE = """\
lake: lake
zone: Asia/Shanghai
visit_rules: default
master: null
jars: jars
pseudonym_secret_file: key
lock_wait_s: 600
mlflow_uri: sqlite:///mlflow.db
spark:
  spark.sql.adaptive.enabled: true
  spark.sql.shuffle.partitions: 400
"""


@pytest.fixture
def conf(tmp_path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "local.yaml").write_text("lock_wait_s: 60\nspark:\n  spark.sql.shuffle.partitions: 16\n")
    return tmp_path


def test_command_line_beats_environment_beats_base(conf):
    overrides = ["zone=UTC", "spark.sql.shuffle.partitions=4", "master=local[2]"]
    resolved = resolve(conf, overrides=overrides)
    settings, origins = resolved.settings, resolved.origins
    assert (settings.lake, origins["lake"]) == ("lake", "conf/base.yaml:1")
    assert (settings.lock_wait_s, origins["lock_wait_s"]) == (60.0, "conf/local.yaml:1")
    assert (settings.zone, origins["zone"]) == ("UTC", "command line")
    assert settings.spark_options == {"spark.sql.adaptive.enabled": "true", "spark.sql.shuffle.partitions": "4"}
    assert origins["spark.sql.adaptive.enabled"] == "conf/base.yaml:10"
    assert origins["spark.sql.shuffle.partitions"] == "command line"


def test_a_value_can_be_set_back_to_null(conf):
    (conf / "local.yaml").write_text("master: local[2]\n")
    assert resolve(conf).settings.master == "local[2]"
    assert resolve(conf, overrides=["master=null"]).settings.master is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zone: UTC\nzone: UTC\n", "conf/local.yaml:2:1: duplicate key 'zone'; first seen on line 1"),
        ("lake: x\nlokc_wait_s: 1\n", "conf/local.yaml:2:1: lokc_wait_s: unknown key; allowed: lake, zone"),
        ("lokc_wait_s: 1\n", "did you mean 'lock_wait_s'?"),
        ("\nlock_wait_s: soon\n", "conf/local.yaml:2:"),
        ("lock_wait_s: -1\n", "conf/local.yaml:1: lock_wait_s: Input should be greater than or equal to 0"),
    ],
)
def test_a_mistake_in_a_file_names_its_line(conf, text, message):
    (conf / "local.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        resolve(conf)
    assert message in str(error.value)


def test_a_missing_key_names_base(conf):
    (conf / "base.yaml").write_text(BASE.replace("zone: Asia/Shanghai\n", ""))
    with pytest.raises(ConfigError, match=r"conf/base.yaml: zone: Field required"):
        resolve(conf)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("zoen=UTC", "--set zoen=UTC: expected key=value .*did you mean 'zone'"),
        ("zone", "--set zone: expected key=value"),
        ("lake.root=x", "expected key=value"),
        ("lock_wait_s=soon", "command line: lock_wait_s: Input should be a valid number"),
    ],
)
def test_a_mistake_on_the_command_line_says_so(conf, override, message):
    with pytest.raises(ConfigError, match=message):
        resolve(conf, overrides=[override])


def test_an_unknown_environment_lists_what_there_is(conf):
    with pytest.raises(ConfigError, match=r"environment 'locl'.*there are local; did you mean 'local'"):
        resolve(conf, environment="locl")


@pytest.mark.parametrize("environment", ["local", "cluster"])
def test_the_shipped_settings_are_valid(environment):
    assert resolve(default_conf(), environment=environment).settings.zone == "Asia/Shanghai"


@pytest.mark.parametrize(("gibibytes", "memory"), [(1, "1024m"), (8, "2048m"), (64, "2560m")])
def test_driver_memory_is_a_quarter_of_the_machine(monkeypatch, gibibytes, memory):
    monkeypatch.setattr(machine, "memory_bytes", lambda: gibibytes * machine.GIB)
    assert machine.with_machine_defaults({}, master="local[*]") == {"spark.driver.memory": memory}
    chosen = {"spark.driver.memory": "3g"}
    assert machine.with_machine_defaults(chosen, master="local[*]") == chosen
    assert machine.with_machine_defaults({}, master=None) == {}
