"""A cluster's files and processes, without Spark: a shell script stands for its daemons."""

from __future__ import annotations

import base64
import hmac
import json
import os
import stat
import subprocess
import time

import pytest

from visitgrain.errors import ConfigError, InputMissing, JobFailed
from visitgrain.runtime import daemons
from visitgrain.runtime.daemons import Daemons
from visitgrain.runtime.settings import default_conf
from visitgrain.runtime.standalone import Layout, Standalone

pytestmark = pytest.mark.slow  # some seconds

SHIPPED = Layout.of(default_conf()).settings
STAYS = "#!/bin/sh\nwhile :; do sleep 0.1; done\n"
ENDS = "#!/bin/sh\necho the port is taken\nexit 1\n"


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(SHIPPED.model_copy(update={"first_port": 0}), tmp_path / "cluster")


@pytest.fixture
def spark_class(tmp_path, monkeypatch):
    """Replaces Spark's launcher by a script; says whether pages and registration answer."""

    def use(script: str, *, answers: bool = True) -> None:
        launcher = tmp_path / "spark" / "bin" / "spark-class"
        launcher.parent.mkdir(parents=True, exist_ok=True)
        launcher.write_text(script)
        launcher.chmod(0o700)
        monkeypatch.setattr(daemons, "SPARK_HOME", tmp_path / "spark")
        for name in ("_leads", "_shows_pages", "_has_registered"):
            monkeypatch.setattr(Daemons, name, lambda self, daemon: answers)

    return use


def mode(path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def test_only_the_owner_reads_what_a_cluster_keeps(layout):
    old = os.umask(0)
    try:
        layout.prepare()
    finally:
        os.umask(old)
    folders = [layout.folder, *(path for path in layout.folder.iterdir() if path.is_dir())]
    secret_files = ("secret", "page_key", "client.properties", "daemons.properties")
    assert {path.name: mode(path) for path in folders if mode(path) != "0700"} == {}
    assert {name: mode(layout.folder / name) for name in secret_files} == dict.fromkeys(secret_files, "0600")


def test_secrets_are_made_once_and_stand_on_no_command_line(layout):
    layout.prepare()
    secret = (layout.folder / "secret").read_text()
    layout.prepare()
    assert (layout.folder / "secret").read_text() == secret
    assert f"spark.authenticate.secret {secret}\n" in layout.client_properties.read_text()
    told = " ".join(argument for daemon in layout.daemons for argument in daemon.arguments)
    assert secret not in told
    assert (layout.folder / "page_key").read_text() not in told + layout.client_properties.read_text()


def test_shipped_ports_and_address():
    """Three for master and pages, two for each of two workers; nobody outside of this machine reaches them."""
    layout = Layout.of(default_conf())
    assert layout.settings.host == "127.0.0.1"
    assert {daemon.name: daemon.ports for daemon in layout.daemons} == {
        "master": (7077, 7078),
        "worker-1": (7080, 7081),
        "worker-2": (7082, 7083),
        "history": (7079,),
    }


def test_free_ports_differ_and_stay(layout):
    assert len(set(layout.ports)) == 7
    again = Layout(layout.settings, layout.folder)
    assert again.ports == layout.ports
    more = Layout(layout.settings.model_copy(update={"workers": 3}), layout.folder)
    assert more.ports[:7] == layout.ports
    assert len(set(more.ports)) == 9


def test_a_token_is_signed_with_the_key_and_ends(layout):
    head, claims, signature = layout.page_token().split(".")
    key = base64.urlsafe_b64decode((layout.folder / "page_key").read_text())
    signed = hmac.digest(key, f"{head}.{claims}".encode(), "sha256")
    assert base64.urlsafe_b64decode(signature + "=") == signed
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert 11 * 3600 < told["exp"] - time.time() <= 12 * 3600


def test_settings_that_are_none_are_refused(tmp_path):
    (tmp_path / "standalone.yaml").write_text("host: 127.0.0.1\nworker: 2\n")
    with pytest.raises(ConfigError, match=r"conf/standalone.yaml:2:1: .*worker"):
        Layout.of(tmp_path)


def test_start_twice_is_once_and_stop_ends_all_of_it(layout, spark_class):
    spark_class(STAYS)
    cluster = Daemons(layout)
    first = {state.daemon.name: state.pid for state in cluster.start()}
    assert None not in first.values()
    assert {state.daemon.name: state.pid for state in cluster.start()} == first
    assert {state.daemon.name: state.pid for state in cluster.stop()} == first
    assert [state.pid for state in cluster.states()] == [None] * 4
    assert cluster.stop() == []


def test_start_brings_back_what_died_and_keeps_the_rest(layout, spark_class):
    spark_class(STAYS)
    cluster = Daemons(layout)
    first = {state.daemon.name: state.pid for state in cluster.start()}
    os.kill(first["worker-1"], 9)
    assert daemons._until(lambda: cluster.states()[1].pid is None, 10)  # a killed process is seen for a moment more
    second = {state.daemon.name: state.pid for state in cluster.start()}
    cluster.stop()
    assert second["worker-1"] not in (None, first["worker-1"])
    assert {**second, "worker-1": 0} == {**first, "worker-1": 0}


def test_what_a_master_recovers_is_for_the_workers_that_still_run(layout, spark_class):
    spark_class(STAYS)
    cluster = Daemons(layout)
    master = cluster.start()[0].pid
    kept = layout.folder / "recovery" / "worker_1"
    kept.touch()
    os.kill(master, 9)
    assert daemons._until(lambda: cluster.states()[0].pid is None, 10)
    cluster.start()
    assert kept.exists()
    cluster.stop()
    assert not kept.exists()


def test_stop_spares_a_process_that_has_got_the_number_of_a_daemon(layout, spark_class):
    spark_class(STAYS)
    cluster = Daemons(layout)
    cluster.layout.prepare()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (layout.folder / "master.pid").write_text(str(stranger.pid))
        assert cluster.states()[0].pid is None
        assert cluster.stop() == []
        assert stranger.poll() is None
        stranger.kill()


def test_a_daemon_that_ends_says_why(layout, spark_class):
    spark_class(ENDS, answers=False)
    with pytest.raises(JobFailed, match=r"(?s)master \(ports \d+, \d+\) ended; .*the port is taken.*first_port"):
        Daemons(layout).start("master")


def test_daemons_do_not_inherit_what_may_be_a_secret(layout, spark_class, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "canary")
    spark_class("#!/bin/sh\nenv\nexit 1\n", answers=False)
    with pytest.raises(JobFailed):
        Daemons(layout).start("master")
    said = (layout.folder / "logs" / "master.log").read_text()
    assert "SPARK_LOCAL_IP=127.0.0.1" in said
    assert "canary" not in said
    assert (layout.folder / "secret").read_text() not in said


def test_a_master_that_does_not_answer_is_told_how_to_start(layout):
    with pytest.raises(InputMissing, match=r"spark://127\.0\.0\.1:\d+: no master answers; .*visitgrain cluster start"):
        Daemons(layout).summary()


def test_every_setting_is_shipped():
    assert set(SHIPPED.model_dump()) == set(Standalone.model_fields)
